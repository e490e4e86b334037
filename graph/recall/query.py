"""The parts of a query: its words, the named speakers and dates, and the class of the answer."""

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
    """The parts of a query that the score uses.

    Attributes:
        words: for each word that is not a function word, the hashes of its stems in the languages of the messages.
        embedded: the text that is embedded.
        speakers: the named speakers, spelled as in the columns.
        dates: the named dates.
        asked: the class of entity that the query asks for.
        phrases: texts that a found message must contain.
    """

    words: Sequence[frozenset[int]]
    embedded: str
    speakers: frozenset[str]
    dates: Sequence[Named]
    asked: Flag
    phrases: Sequence[str]


def read_query(text: str, speakers: Iterable[str], languages: Iterable[str], now: datetime) -> Query:
    """Read a query.

    The names of speakers are removed from the text, since a speaker's own messages seldom contain the name: it would
    find messages about the speaker. "When did Caroline go" is embedded as "When did I go".

    Args:
        text: the query.
        speakers: the speakers of the searched messages.
        languages: the languages of the searched messages.
        now: the reference time of relative dates.
    """
    folded = text.casefold()
    named = [speaker for speaker in speakers if _may_name(folded, speaker) and _names(text, speaker)]
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
    """Return the parts of a query in double quotes."""
    return [phrase for phrase in _PHRASE.findall(text) if phrase.strip()]


def has_phrases(content: str, phrases: Sequence[str]) -> bool:
    """Whether all phrases occur in a content, ignoring case."""
    folded = content.casefold() if phrases else ""
    return all(phrase.casefold() in folded for phrase in phrases)


def _forms(speaker: str) -> list[str]:
    """Return the forms of a speaker's name: the full name, and the first name."""
    first = next(iter(speaker.split()), "")
    return [speaker] if first == speaker or len(first) < _SHORTEST_FIRST_NAME else [speaker, first]


def _may_name(folded: str, speaker: str) -> bool:
    """Whether a text in lower case has the first word of a name: a cheap test, for scopes with many names."""
    words = speaker.split(maxsplit=1)
    return bool(words) and words[0].casefold() in folded


def _names(text: str, speaker: str) -> bool:
    return any(_pattern(form).search(text) for form in _forms(speaker))


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:the\s+)?{re.escape(name)}(?P<possessive>['’]s)?(?!\w)", re.IGNORECASE)  # noqa: RUF001 - as phones type it
