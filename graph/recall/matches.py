"""The places in a content where the words of a query occur."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from graph.recall.languages import NO_LANGUAGE, detect_language
from graph.recall.terms import split_words, stem, term_hash

MOST_MATCHES = 20
"""Maximum places of one content; further places are left out."""

_WORD = re.compile(r"\w+")


def find_matches(content: str, words: Sequence[frozenset[int]]) -> list[tuple[int, int]]:
    """Return the offsets of the words of a query, end exclusive.

    Args:
        content: the text.
        words: the words of the query, each as the hashes of its stems.
    """
    hashes = frozenset[int]().union(*words)
    language = detect_language(split_words(content))
    places: list[tuple[int, int]] = []
    for place in _places(content, hashes, language):
        if places and place[0] <= places[-1][1]:  # of a script without spaces
            places[-1] = (places[-1][0], place[1])
        elif len(places) == MOST_MATCHES:
            break
        else:
            places.append(place)
    return places


def _places(content: str, hashes: frozenset[int], language: str) -> Iterator[tuple[int, int]]:
    for match in _WORD.finditer(content):
        parts = split_words(match.group())
        if len(parts) == 1:
            if _contains_term(parts[0], hashes, language):
                yield match.span()
            continue
        end = 0
        for part in parts:
            start = match.group().find(part, max(0, end - 1))
            if start >= 0:
                end = start + len(part)
                if _contains_term(part, hashes, language):
                    yield match.start() + start, match.start() + end


def _contains_term(word: str, hashes: frozenset[int], language: str) -> bool:
    return term_hash(stem(word, language)) in hashes or term_hash(stem(word, NO_LANGUAGE)) in hashes
