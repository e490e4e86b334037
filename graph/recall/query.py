"""What a query looks for: its words, the speakers and dates that it names, and the class of the answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from graph.recall.dates import Named, named_dates
from graph.recall.questions import Flag, asked_for
from graph.recall.terms import query_terms, split_words

_PHRASE = re.compile(r'"([^"]+)"')
_SHORTEST_FIRST_NAME = 3


@dataclass(frozen=True, slots=True)
class Query:
    """A query, as the score is computed for it.

    Attributes:
        words: of each word that carries meaning, the hashes under which messages may have it.
        embedded: the text whose meaning is compared.
        speakers: those that it names, as the columns write them.
        dates: that it names.
        asked: the class of entity that it asks for.
        phrases: texts that have to occur as they stand.
    """

    words: Sequence[frozenset[int]]
    embedded: str
    speakers: frozenset[str]
    dates: Sequence[Named]
    asked: Flag
    phrases: Sequence[str]


def read_query(text: str, speakers: Iterable[str], languages: Iterable[str], now: datetime) -> Query:
    """Read a query.

    Speakers' names leave it: who said something seldom names themselves, and a name would find those who talk about
    the speaker. "When did Caroline go" is compared as "When did I go".

    Args:
        text: the query.
        speakers: of the messages that are searched.
        languages: of the messages that are searched.
        now: what relative dates are relative to.
    """
    named = [speaker for speaker in speakers if _names(text, speaker)]
    rest, embedded = text, text
    for name in sorted({form for speaker in named for form in _forms(speaker)}, key=len, reverse=True):
        rest = _pattern(name).sub(" ", rest)
        embedded = _pattern(name).sub(lambda match: "my" if match["possessive"] else "I", embedded)
    return Query(
        words=query_terms(split_words(rest), languages),
        embedded=embedded,
        speakers=frozenset(named),
        dates=named_dates(text, now),
        asked=asked_for(text),
        phrases=phrases_of(text),
    )


def phrases_of(text: str) -> list[str]:
    """The parts of a query in double quotes."""
    return [phrase for phrase in _PHRASE.findall(text) if phrase.strip()]


def has_phrases(content: str, phrases: Sequence[str]) -> bool:
    """Whether all phrases occur in a content, in upper or lower case."""
    folded = content.casefold() if phrases else ""
    return all(phrase.casefold() in folded for phrase in phrases)


def _forms(speaker: str) -> list[str]:
    """What a speaker is called: the whole name, or the first one."""
    first = next(iter(speaker.split()), "")
    return [speaker] if first == speaker or len(first) < _SHORTEST_FIRST_NAME else [speaker, first]


def _names(text: str, speaker: str) -> bool:
    return bool(speaker.strip()) and any(_pattern(form).search(text) for form in _forms(speaker))


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:the\s+)?{re.escape(name)}(?P<possessive>['’]s)?(?!\w)", re.IGNORECASE)  # noqa: RUF001 - as phones type it
