"""The formula of the score, computed message by message in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from graph.recall.dates import Named, NamedDay, NamedMonth, NamedSpan
from graph.recall.entries import Entry
from graph.recall.query import Query
from graph.recall.questions import Flag


@dataclass(frozen=True, slots=True)
class Bag:
    """What BM25 counts in: a message, or a whole session."""

    terms: Sequence[tuple[int, int]]

    def count(self, forms: frozenset[int]) -> int:
        return sum(count for term, count in self.terms if term in forms)

    @property
    def length(self) -> int:
        return sum(count for _, count in self.terms)


def bm25(bags: Sequence[Bag], words: Sequence[frozenset[int]], b: float) -> list[float]:
    mean = max(sum(bag.length for bag in bags) / len(bags), 1e-9)
    scores = [0.0] * len(bags)
    for word in words:
        having = sum(1 for bag in bags if bag.count(word))
        rarity = math.log(1 + (len(bags) - having + 0.5) / (having + 0.5))
        for place, bag in enumerate(bags):
            if count := bag.count(word):
                scores[place] += rarity * count * 1.9 / (count + 0.9 * (1 - b + b * bag.length / mean))
    greatest = max(scores)
    return [score / greatest for score in scores] if greatest else scores


def cosine(entry: Entry, vector: Sequence[float]) -> float:
    whole = [byte - 256 if byte > 127 else byte for byte in entry.vector]
    return entry.scale * sum(one * other for one, other in zip(whole, vector, strict=False))


def nearness(day: date, named: Named) -> float:
    if isinstance(named, NamedDay):
        distance = abs((day - named.day).days)
        return (
            1.0 if distance == 0 else 0.8 if distance == 1 else 0.5 if distance <= 3 else 0.25 if distance <= 7 else 0
        )
    if isinstance(named, NamedSpan):
        return 0.5 if named.first <= day <= named.last else 0.0
    if isinstance(named, NamedMonth):
        return 0.5 if day.month == named.month and named.year in (None, day.year) else 0.0
    return 0.1 if day.year == named.year else 0.0


def scores(entries: Sequence[Entry], query: Query, vector: Sequence[float] | None) -> dict[str, float]:
    """The score of each message by its id."""
    found: dict[str, float] = {}
    sessions: dict[str, list[Entry]] = {entry.session_id: [] for entry in entries}
    for entry in sorted(entries, key=lambda each: each.seq):
        sessions[entry.session_id].append(entry)
    own = bm25([Bag(tuple(entry.terms.items())) for entry in entries], query.words, 0.4)
    bags = [Bag(tuple(item for entry in session for item in entry.terms.items())) for session in sessions.values()]
    of_sessions = dict(zip(sessions, bm25(bags, query.words, 0.75), strict=True))
    for place, entry in enumerate(entries):
        score = own[place] + of_sessions[entry.session_id]
        score += 1.1 * (entry.speaker in query.speakers)
        score += 1.4 * max((nearness(entry.at.date(), named) for named in query.dates), default=0.0)
        score += 0.75 * bool(entry.flags & query.asked) - 0.25 * bool(entry.flags & Flag.QUESTION)
        score += 0.65 * math.log(1 + entry.length) / 4
        if vector is not None:
            session = sessions[entry.session_id]
            index = session.index(entry)
            score += 2.0 * cosine(entry, vector)
            score += 1.0 * cosine(session[index - 1], vector) if index else 0.0
            score += 0.6 * cosine(session[index + 1], vector) if index + 1 < len(session) else 0.0
        found[entry.message_id] = score
    return found
