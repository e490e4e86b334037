"""Correcting the label of well-known places, and finding those a model overlooked.

`data/places_en.txt` holds them; `tests/benchmarks/make_word_tables.py` makes that file.
"""

# ruff: noqa: RUF001 - typographic quotes and dashes are part of how people write

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graph.enrichment.boundaries import Span

_LABEL = "GPE"
_MISTAKEN = frozenset({"PERSON", "ORG", "NORP", "LOC", "FAC", "PRODUCT", "WORK_OF_ART"})
_CAPITALISED = re.compile(r"[^\W\d_a-z][\w’.-]*(?: [^\W\d_a-z][\w’.-]*)*")
_MAX_WORDS = 4


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


def mark_places(cased: str, spans: list[Span]) -> list[Span]:
    """Label as a place each span that is the name of one, and add places that stand alone in capitals.

    Args:
        cased: the text the spans lie in, in the casing the model saw.
        spans: entities in order, without overlap.
    """
    places = _places()
    marked = [
        (start, end, _LABEL if label in _MISTAKEN and _plain(cased[start:end]) in places else label)
        for start, end, label in spans
    ]
    added = []
    for match in _CAPITALISED.finditer(cased):
        name = match.group().rstrip(".-’") if not match.group().endswith("U.S.") else match.group()
        # A run of capitals that is more than the name is another name: "Paris Hilton".
        if _plain(name) in places:
            start, end = match.start(), match.start() + len(name)
            if not any(start < other_end and other_start < end for other_start, other_end, _ in marked):
                added.append((start, end, _LABEL))
    return sorted([*marked, *added]) if added else marked
