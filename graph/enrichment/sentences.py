"""Cheap sentence splitting with offsets, for chunking long texts and for extractive summaries.

Rules rather than a model: the splitting must be cheap compared with entity extraction, take linear time on a
million-character message, and not depend on a spaCy model.
"""

# ruff: noqa: RUF001 - this module is about the punctuation of many scripts

from __future__ import annotations

import re

# Consumes whole runs and looks at the next character in Python: a lookahead after the runs would make the search
# quadratic on a message that is one long run of dots.
_CANDIDATE = re.compile(
    r"(?P<line>[\n\r\x85\u2028\u2029]\s*)"
    r"|(?P<wide>[。！？｡]+[」』”’）】》]*)"
    r"|(?P<end>[.!?…؟۔।։።‼⁇⁈⁉]+[\"'”’»)\]}*_`]*)",
)
_LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_LIST_ITEM = re.compile(r"(?:[-*+•>|#]|\d{1,3}[.)])\s")
_LETTERS_WITH_DOTS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]", re.UNICODE)
_OPENING = "\"'“‘«([{*_`"

# Never the end of a sentence: a name, a number or an example follows.
_NOT_FINAL = frozenset(
    {"mr", "mrs", "ms", "mx", "dr", "prof", "rev", "hon", "st", "messrs", "mme", "mlle", "gen", "col", "maj", "capt"}
    | {"lt", "sgt", "gov", "sen", "pres", "fig", "figs", "eq", "eqs", "vol", "vols", "pp", "vs", "cf", "approx"}
    | {"e.g", "i.e", "viz"},
)
# Abbreviations before a number, words otherwise.
_BEFORE_NUMBER = frozenset({"no", "nos", "art", "ch", "sec", "ca", "p", "rep"})
# End a sentence only before a capital.
_MAYBE_FINAL = frozenset(
    {"etc", "al", "ed", "eds", "sr", "jr", "inc", "ltd", "co", "corp", "llc", "bros", "dept", "univ", "a.m", "p.m"}
    | {"jan", "feb", "apr", "jun", "jul", "aug", "sept", "sep", "oct", "nov", "dec"},
)

_WRAP_WIDTH = 60  # a shorter line was ended by its writer; a longer one may be hard-wrapped prose
_WORD_WINDOW = 24  # no abbreviation is longer


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Cut `text` into sentences.

    A sentence ends at terminal punctuation followed by white space (directly after it in scripts written without
    spaces) and at line ends, unless the line looks hard-wrapped: long, without a blank line after it, and continued in
    lower case. Abbreviations, initials, decimals and list numbers do not end one.

    Returns:
        `(start, end)` code-point offsets, end exclusive, in order, without overlap. No span begins or ends with white
        space, no sentence is empty, and every character that is not white space lies in exactly one.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _CANDIDATE.finditer(text):
        if _is_boundary(text, start, match):
            end = match.start() if match.lastgroup == "line" else match.end()
            _append_trimmed(spans, text, start, end)
            start = match.end()
    _append_trimmed(spans, text, start, len(text))
    return spans


def _append_trimmed(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    length = len(piece.strip())
    if length:
        spans.append((start + left, start + left + length))


def _is_boundary(text: str, start: int, match: re.Match[str]) -> bool:  # noqa: PLR0911 - one rule a line
    after = match.end()
    if match.lastgroup == "wide":
        return True
    if match.lastgroup == "line":
        return not _is_hard_wrap(text, start, match)
    if after >= len(text):
        return True
    if not text[after].isspace():
        return False
    following = _next_letter(text, after)
    mark = match.group()
    if mark[0] == "." and not mark.startswith(".."):
        return _dot_ends(text, start, match.start(), following)
    if mark[0] in ".…":
        return not following.islower()  # a pause, unless a new sentence follows
    return True


def _is_hard_wrap(text: str, start: int, match: re.Match[str]) -> bool:
    if match.end() >= len(text) or not text[match.end()].islower():
        return False
    if len(_LINE_BREAK.findall(match.group())) > 1 or _LIST_ITEM.match(text, match.end()):
        return False
    line_start = max(text.rfind("\n", start, match.start()) + 1, start)
    return match.start() - line_start >= _WRAP_WIDTH


def _next_letter(text: str, position: int) -> str:
    """The first character after white space and opening punctuation, or an empty string near no such character."""
    for character in text[position : position + _WORD_WINDOW]:
        if not character.isspace() and character not in _OPENING:
            return character
    return ""


def _dot_ends(text: str, start: int, dot: int, following: str) -> bool:  # noqa: PLR0911 - one rule a line
    words = text[max(start, dot - _WORD_WINDOW) : dot].split()
    if not words or text[dot - 1].isspace():
        return True
    word = words[-1].lstrip(_OPENING)
    folded = word.casefold()
    if folded in _NOT_FINAL:
        return False
    if folded in _BEFORE_NUMBER:
        return not following.isdigit()
    if folded in _MAYBE_FINAL:
        return following.isupper()
    if len(word) == 1 and word.isupper():
        return word == "I"  # else an initial
    if _LETTERS_WITH_DOTS.fullmatch(word):
        return False  # "U.S. Army" is far more frequent than a sentence that ends in such letters
    # The number of a list item, at the head of its line.
    head = text[start:dot] if dot - start <= _WORD_WINDOW else ""
    return not (word.isdigit() and len(word) <= 3 and head.strip() == word)
