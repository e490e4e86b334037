"""The bounds of names, and the reported spans that are not names.

A model disagrees with itself about articles, possessives and the punctuation around a name; entities can only be
merged over messages when their edges follow one rule.
"""

# ruff: noqa: RUF001 - typographic quotes and dashes are part of how people write

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graph.enrichment.places import is_place

if TYPE_CHECKING:
    from graph.enrichment.places import Span

# Values rather than names: an article belongs to "the 1960s", "a dozen".
VALUE_LABELS = frozenset({"DATE", "TIME", "PERCENT", "MONEY", "QUANTITY", "ORDINAL", "CARDINAL"})
_TITLED_LABELS = VALUE_LABELS | {"WORK_OF_ART"}  # "The Hobbit"

_LEADING = " \t\n\r\u00a0*_~|,;:!?\"'‘’“”„«»([{<>=/\\-–—•@#.…"
_TRAILING = " \t\n\r\u00a0*_~|,;:!?\"'‘’“”„«»([{<>=/\\-–—•@#…"
_PAIRS = {")": "(", "]": "[", "}": "{"}
_ARTICLE = re.compile(r"(?:the|an?)\s+(?=\S)", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['’]s?$")
_HONORIFIC = re.compile(
    r"(?:mr|mrs|ms|mx|dr|prof|professor|sir|aunt|auntie|uncle|cousin|grandma|grandpa|president|inspector)\b\.?\s+(?=\S)",
    re.IGNORECASE,
)
_DASH = re.compile(r"\s[-–—]+\s")
_CURRENCY = "$€£¥₹₽₩₺"


def trim_span(text: str, start: int, end: int, label: str) -> tuple[int, int] | None:
    """Move the edges of an entity in English `text` to those of the name, or drop it when nothing is left.

    Line breaks and spaced dashes end a name. Punctuation around it, a leading article, an honorific before a person
    and a possessive ending are no part of it; a currency sign is part of an amount.
    """
    start, end = _longest_line(text, start, end)
    start, end = _strip(text, start, end)
    if label not in VALUE_LABELS:
        possessive = _POSSESSIVE.search(text, start, end)
        if possessive and possessive.start() > start:
            end = possessive.start()
        prefix = _ARTICLE.match(text, start, end) if label not in _TITLED_LABELS else None
        if prefix is None and label == "PERSON":
            prefix = _HONORIFIC.match(text, start, end)
        if prefix:
            start, end = _strip(text, prefix.end(), end)
    elif label == "MONEY" and start and text[start - 1] in _CURRENCY:
        start -= 1
    elif label == "MONEY" and start and text[start - 1] == "#":
        return None  # the number of a ticket or order
    if not any(map(str.isalnum, text[start:end])):
        return None
    return start, end


def join_names(text: str, spans: list[Span]) -> list[Span]:
    """Join a capitalised word to the person whose name follows it directly: "Octavia" and "Estelle Butler".

    Small models take an uncommon first name for a place of its own. Two entities written next to each other with
    nothing but a space between them are one name: in prose a comma or a word would part them. A well-known place
    stays by itself.
    """
    joined: list[Span] = []
    for start, end, label in spans:
        before = joined[-1] if joined else None
        if before is not None and label == "PERSON" and _is_first_name(text, before, start):
            joined[-1] = (before[0], end, label)
        else:
            joined.append((start, end, label))
    return joined


def _is_first_name(text: str, span: Span, start_of_next: int) -> bool:
    start, end, label = span
    word = text[start:end]
    return (
        label not in VALUE_LABELS
        and word.isalpha()
        and word.istitle()
        and text[end:start_of_next] == " "
        and text[start_of_next].isupper()
        and not is_place(word)
    )


def _longest_line(text: str, start: int, end: int) -> tuple[int, int]:
    best = (start, start)
    position = start
    for piece in _DASH.split(text[start:end]) if " " in text[start:end] else [text[start:end]]:
        for line in piece.splitlines() or [piece]:
            found = text.find(line, position, end)
            position = found + len(line)
            if len(line) > best[1] - best[0]:
                best = (found, position)
    return best


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in _LEADING:
        start += 1
    while end > start and (text[end - 1] in _TRAILING or _is_unpaired(text, start, end)):
        end -= 1
    return start, end


def _is_unpaired(text: str, start: int, end: int) -> bool:
    opening = _PAIRS.get(text[end - 1])
    return opening is not None and opening not in text[start : end - 1]
