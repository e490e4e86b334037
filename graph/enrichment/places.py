"""Correcting the label of well-known places, and finding those a model overlooked.

`data/places_en.txt` holds them; `benchmarks/make_word_tables.py` makes that file.
"""

# ruff: noqa: RUF001 - typographic quotes and dashes are part of how people write

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from functools import cache
from importlib.resources import files

Span = tuple[int, int, str]  # start, end (exclusive, in code points), label

_LABEL = "GPE"
_MISTAKEN = frozenset({"PERSON", "ORG", "NORP", "LOC", "FAC", "PRODUCT", "WORK_OF_ART"})
# A run of capitalised words that is more than a place is another name: "Paris Hilton".
_CAPITALISED = re.compile(r"(?:[A-Z]\.){2,}|[^\W\d_a-z](?:[\w’-]*\w)?(?: [^\W\d_a-z](?:[\w’-]*\w)?)*")


@cache
def _places() -> frozenset[str]:
    lines = files("graph.enrichment").joinpath("data/places_en.txt").read_text("utf-8").splitlines()
    return frozenset(_plain(line) for line in lines if line and not line.startswith("#"))


def _plain(name: str) -> str:
    if name.isascii():
        return name
    return "".join(
        character for character in unicodedata.normalize("NFKD", name) if not unicodedata.combining(character)
    )


def is_place(name: str) -> bool:
    return _plain(name) in _places()


def mark_places(cased: str, spans: list[Span]) -> list[Span]:
    """Label as a place each span that is the name of one, and add places that stand alone in capitals.

    Args:
        cased: the text the spans lie in, in the casing the model saw.
        spans: entities in order, without overlap.
    """
    marked = [
        (start, end, _LABEL if label in _MISTAKEN and is_place(cased[start:end]) else label)
        for start, end, label in spans
    ]
    starts = [start for start, _, _ in marked]
    added = []
    for match in _CAPITALISED.finditer(cased):
        if is_place(match.group()):
            start, end = match.span()
            following = bisect_left(starts, end)
            if following == 0 or marked[following - 1][1] <= start:
                added.append((start, end, _LABEL))
    return sorted([*marked, *added]) if added else marked
