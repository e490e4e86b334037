"""Blanking out text that is not prose, so that a model trained on prose is not misled by it.

Every mask replaces a character by one character: offsets into the masked text are offsets into the original.
The patterns are bounded or possessive, since a message may be a million characters that nearly match.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]{0,3}(```|~~~).*?(?:^[ \t]{0,3}\1[^\n]*$|\Z)", re.DOTALL | re.MULTILINE)
_INLINE_CODE = re.compile(r"`[^`\n]+`")
_URL = re.compile(r"(?:https?://|ftp://|www\.)\S+", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,200}>")
# The labels that chat transcripts put before a turn. A name there is a name, and stays.
_ROLE = re.compile(
    r"^[ \t>*]{0,8}(?:user|assistant|system|human|ai|bot|tool|q|a)[*]{0,2}:", re.IGNORECASE | re.MULTILINE
)
_MARKUP = re.compile(
    r"^[ \t]{0,8}(?:#{1,6}(?=\s)|>{1,6}|[-*+•](?=\s)|\d{1,3}[.)](?=\s))"  # headings, quotes, list items
    r"|^[ \t|:=*_-]{3,}$"  # rules, also those within tables
    r"|\*\*|__|~~"
    r"|(?<!\w)[*_](?=\w)|(?<=[\w.!?,)])[*_](?!\w)",  # emphasis, but not snake_case and 2*3
    re.MULTILINE,
)
_MARKUP_HINT = re.compile(r"[#>*_~•|=+)]|--|\d\.\s|^[ \t]*-\s", re.MULTILINE)
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2b00-\u2bff\ufe0e\ufe0f\u200d\u20e3"
    "\U000e0020-\U000e007f]+",
)
_HANDLE = re.compile(r"(?<!\w)(?:@(?=\w)|#(?=[^\W\d_]))")

# Text that no writer of prose types without a space: encoded data, serialised data, a key held down. Scripts that
# write no spaces are exempt.
_LONGEST_WORD = 40
_ENCODED = re.compile(
    r"[A-Za-z0-9+/=_-]{40,}+"
    r"(?:\r?\n(?=[^\n]*[0-9+/=])[A-Za-z0-9+/=_-]++(?![^\r\n]))*+"  # the lines after it, the last one shorter
)
_UNBROKEN = re.compile(
    r"[^\s\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
    r"\U00020000-\U0003ffff]{100,}+"
)
_REPEATED = re.compile(r"(\S)\1{39,}+")


def _blank(match: re.Match[str]) -> str:
    return " " * (match.end() - match.start())


def _blank_keeping_lines(match: re.Match[str]) -> str:
    return "".join("\n" if character == "\n" else " " for character in match.group())


def mask(text: str) -> str:
    """Replace code, addresses, data, role prefixes, markup and emoji by as many spaces; table cells end in commas."""
    # Most messages do not have it: a look for one character is far cheaper than a search for its pattern.
    if "```" in text or "~~~" in text:
        text = _FENCE.sub(_blank_keeping_lines, text)
    if "`" in text:
        text = _INLINE_CODE.sub(_blank, text)
    if "://" in text or "www." in text or "WWW." in text:
        text = _URL.sub(_blank, text)
    if "@" in text:
        text = _EMAIL.sub(_blank, text)
    if "<" in text:
        text = _TAG.sub(_blank, text)
    if ":" in text:
        text = _ROLE.sub(_blank, text)
    if "@" in text or "#" in text:
        text = _HANDLE.sub(" ", text)
    if _MARKUP_HINT.search(text):
        text = _MARKUP.sub(_blank, text).replace("|", ",")
    if not text.isascii():
        text = _EMOJI.sub(_blank, text)
    return _mask_data(text) if len(text) >= _LONGEST_WORD else text


def _mask_data(text: str) -> str:
    if all(len(word) < _LONGEST_WORD for word in text.split()):
        return text
    text = _ENCODED.sub(_blank_keeping_lines, text)
    text = _REPEATED.sub(_blank, text)
    return _UNBROKEN.sub(_blank, text)
