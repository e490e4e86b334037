"""Cutting a long text into pieces that a pipeline handles in bounded memory, without losing offsets."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from graph.enrichment.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

# A tenth of the memory of spaCy's own limit of a million, and more context than the small models look at.
MAX_CHUNK = 5_000  # code points

_JOINERS = frozenset("\u200d\ufe0e\ufe0f")


def split_chunks(text: str, limit: int = MAX_CHUNK) -> list[tuple[int, int]]:
    """Cut `text` at sentence and line ends into pieces of at most `limit` code points.

    A sentence longer than that is cut at white space, and without white space, between two characters.

    Returns:
        `(start, end)` offsets, end exclusive, in order, without overlap; only white space lies between two pieces.
    """
    if len(text) <= limit:
        return [(0, len(text))] if text else []
    chunks: list[tuple[int, int]] = []
    for start, end in _pieces(text, limit):
        if chunks and end - chunks[-1][0] <= limit:
            chunks[-1] = (chunks[-1][0], end)
        else:
            chunks.append((start, end))
    return chunks


def _pieces(text: str, limit: int) -> Iterator[tuple[int, int]]:
    for sentence_start, end in split_sentences(text):
        start = sentence_start
        while end - start > limit:
            cut = _cut_within(text, start, start + limit)
            yield start, cut
            start = cut
        yield start, end


def _cut_within(text: str, start: int, end: int) -> int:
    # A word longer than half a chunk is no word.
    for position in range(end, start + (end - start) // 2, -1):
        if text[position].isspace():
            return position
    cut = end
    while cut > start + 1 and (unicodedata.combining(text[cut]) or text[cut] in _JOINERS or text[cut - 1] in _JOINERS):
        cut -= 1
    return cut if cut > start + 1 else end
