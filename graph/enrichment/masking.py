"""Blanking out what is not prose, so that a model trained on prose is not misled by it.

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
# What chat transcripts put before a turn. A name there is a name, and stays.
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


def _blank(match: re.Match[str]) -> str:
    return " " * (match.end() - match.start())


def _blank_keeping_lines(match: re.Match[str]) -> str:
    return "".join("\n" if character == "\n" else " " for character in match.group())


def mask(text: str) -> str:
    """Replace code, addresses, role prefixes, markup and emoji by as many spaces; table cells end in commas."""
    # Most messages have none of it: a look for one character is far cheaper than a search for its pattern.
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
    return text
