"""Giving lower-case and upper-case chat the capitals a model was trained to see.

The usual casing of a word is taken from how often people who do use capitals write it so in the middle of a sentence
(Lita et al., "tRuEcasIng", 2003). `data/words_en.txt` holds it for English; `benchmarks/make_word_tables.py`
makes that file.
"""

# ruff: noqa: RUF001 - typographic quotes and dashes are part of how people write

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = re.compile(r"[^\W\d_]+")
_SHOUTING = 0.7  # of the letters
_MIN_SHOUTED_WORDS = 3
_MIN_UNKNOWN, _MAX_UNKNOWN = 4, 20  # letters of an unknown word that may be a name
_MIN_TYPO = 6  # letters: most shorter words are one letter from some other word
_DRAWN_OUT = re.compile(r"(.)\1\1")  # "sooo", "hmmm"
_WORD_ENDING = re.compile(
    r"(?:ing|ings|ly|[st]ions?|ness|[ai]ble|ous|ive|ments?|ful|less|i[sz]ed?|i[sz]es|ity|ities|etic|isms?|ically)$",
)


@cache
def _usual_casing() -> dict[str, str]:
    """Words that are usually written with capitals, by their lower-case form; a common word maps to itself."""
    lines = files("graph.enrichment").joinpath("data/words_en.txt").read_text("utf-8").splitlines()
    return {word.lower(): word for word in lines if word and not word.startswith("#")}


def restore_case(text: str) -> str:
    """Capitalise the names of an English message whose writer did not; the length stays the same.

    A word that is usually capitalised becomes so anywhere. A word never seen is taken for a name only where its writer
    uses no capitals at all. A message in capitals is read as if it were in lower case.
    """
    words = list(_WORD.finditer(text))
    lowered = text
    no_capitals = text.islower()
    if not no_capitals and _is_shouted(text, len(words)):
        lowered = text.lower()
        if len(lowered) != len(text):  # a few letters become two
            return text
        no_capitals = True
    usual = _usual_casing()
    parts: list[str] = []
    done = 0
    for match in words:
        start, end = match.span()
        word = lowered[start:end]
        if not word.islower():
            continue
        cased = usual.get(word)
        unknown = cased is None and no_capitals and _has_length_of_name(word)
        if unknown and _stands_alone(text, start, end) and _may_be_name(word):
            cased = word.capitalize()
        if cased is not None and cased != word and len(cased) == end - start:
            parts += (lowered[done:start], cased)
            done = end
    return "".join((*parts, lowered[done:])) if parts else lowered


def _has_length_of_name(word: str) -> bool:
    return _MIN_UNKNOWN <= len(word) <= _MAX_UNKNOWN


@lru_cache(maxsize=10_000)  # of words of bounded length
def _may_be_name(word: str) -> bool:
    """Whether a word that is in no list may be a name, rather than a slip in a common word or a form of it."""
    if _DRAWN_OUT.search(word):
        return False
    if len(word) < _MIN_TYPO:
        return True
    return not _WORD_ENDING.search(word) and not any(_usual_casing().get(near) == near for near in _likely_slips(word))


def _likely_slips(word: str) -> Iterator[str]:
    """The words with one letter removed, doubled, not doubled, or swapped with the next; also the singular."""
    for position, letter in enumerate(word):
        head, tail = word[:position], word[position + 1 :]
        yield head + tail
        yield head + letter + letter + tail
        if tail:
            yield head + tail[0] + letter + tail[1:]


def _is_shouted(text: str, words: int) -> bool:
    if words < _MIN_SHOUTED_WORDS:
        return False
    upper = sum(map(str.isupper, text))
    return upper > _SHOUTING * (upper + sum(map(str.islower, text)))


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether a word is no part of a contraction, an identifier or a number ("don't", "a_b", "20k")."""
    return not (start and text[start - 1] in "'’_.0123456789") and text[end : end + 1] not in ("_", "’", "'")
