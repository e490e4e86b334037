"""The terms of a text: words in lower case, without function words, stemmed, as 32-bit hashes."""

from __future__ import annotations

import re
import struct
import threading
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Protocol

import Stemmer

from graph.recall.languages import FUNCTION_WORDS, NO_LANGUAGE, detect_language

_WORD = re.compile(r"\w+")
# Scripts that put no space between words: Hiragana, Katakana, Chinese characters, Thai.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+")
_LONGEST = 64  # maximum characters of a word; longer texts are not words of a search


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802 - the name that PyStemmer has


_local = threading.local()  # a stemmer is not safe for use by several threads


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case; in a script without spaces, each pair of neighbouring characters."""
    found: list[str] = []
    for match in _WORD.finditer(unicodedata.normalize("NFKC", text).casefold()):
        found += _split_unspaced(match.group())
    return found


def _split_unspaced(word: str) -> Iterable[str]:
    if word.isascii():
        return (word[:_LONGEST],)
    parts: list[str] = []
    end = 0
    for run in _UNSPACED.finditer(word):
        parts += [word[end : run.start()]] if run.start() > end else []
        parts += _pairs(run.group())
        end = run.end()
    return [part[:_LONGEST] for part in [*parts, word[end:]] if part]


def _pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(max(1, len(run) - 1))]


def stem(word: str, language: str) -> str:
    """Return the stem of a word in a language; without a language, return the word."""
    return word if language == NO_LANGUAGE else _stemmer(language).stemWord(word)


def _stemmer(language: str) -> _Stemmer:
    stemmers: dict[str, _Stemmer] = _local.__dict__.setdefault("stemmers", {})
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(language)
    return stemmers[language]


def term_hash(term: str) -> int:
    """Return a 32-bit hash that is the same in every process."""
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


def meaningful(words: Iterable[str], language: str) -> list[str]:
    """Return the words without the function words of the language."""
    return [word for word in words if word not in FUNCTION_WORDS.get(language, ())]


def count_terms(text: str) -> tuple[str, Counter[int]]:
    """Return the language of a text, and the frequency of each of its terms."""
    words = split_words(text)
    language = detect_language(words)
    return language, Counter(term_hash(stem(word, language)) for word in meaningful(words, language))


def pack_terms(frequencies: Mapping[int, int]) -> bytes:
    """Return the hashes of terms and their frequencies as pairs of little-endian 32-bit numbers."""
    return struct.pack(f"<{2 * len(frequencies)}I", *chain.from_iterable(frequencies.items()))


def unpack_terms(packed: bytes) -> Counter[int]:
    """Return the frequency of each term's hash; a term may occur in several of the packed pairs."""
    frequencies: Counter[int] = Counter()
    for term, count in struct.iter_unpack("<2I", packed):
        frequencies[term] += count
    return frequencies


def query_terms(words: Sequence[str], languages: Iterable[str]) -> list[frozenset[int]]:
    """Return the hashes of the stems of each distinct word of a query, without function words.

    The language of a short query is seldom certain, so a word is stemmed in every language of the messages.

    Args:
        words: the words of the query, in lower case.
        languages: the languages of the searched messages.
    """
    present = {NO_LANGUAGE, *languages}
    forms = (
        frozenset(term_hash(stem(word, language)) for language in present)
        for word in meaningful(words, detect_language(words))
    )
    return list(dict.fromkeys(forms))
