"""The signals that a search compares; apart from the ranking, so that a web process has them without numpy."""

from __future__ import annotations

from enum import Enum


class SearchMode(Enum):
    """The signals that a search compares: words, embeddings, or both in one score."""

    HYBRID = "HYBRID"
    LEXICAL = "LEXICAL"
    VECTOR = "VECTOR"
