"""The score of each message for a query: a weighted sum of signals, see `recall.weights`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.recall import weights
from graph.recall.columns import Columns, Postings
from graph.recall.dates import Named, NamedDay, NamedMonth, NamedSpan, NamedYear
from graph.recall.prefilter import MOST_COMPARED, candidates, estimated_cosines, with_neighbours
from graph.recall.query import Query
from graph.recall.questions import Flag

Floats = NDArray[np.float32]

_BY_WORDS = weights.BM25 + weights.SESSION_BM25 + weights.SPEAKER + weights.DATE + weights.ANSWER
_BY_MEANING = weights.COSINE + weights.COSINE_BEFORE + weights.COSINE_AFTER
_MILLISECONDS_OF_DAY = 86_400_000
_EPOCH = datetime.fromtimestamp(0, UTC).date()


@dataclass(frozen=True, slots=True)
class Signals:
    """The unweighted signals of each row.

    Attributes:
        bm25: BM25 of the words of the message, from 0 to 1.
        session_bm25: BM25 of the words of its session, from 0 to 1.
        cosine: cosine of its embedding and the query's; None if no message is embedded.
        before: cosine of the message before it.
        after: cosine of the message after it.
        speaker: 1 if the query names its speaker.
        date: its nearness to a date that the query names, from 0 to 1.
        answer: 1 if it has an entity of the class that the query asks for.
        question: 1 if it is a question.
        length: the natural logarithm of 1 + the number of its terms.
    """

    bm25: Floats
    session_bm25: Floats
    cosine: Floats | None
    before: Floats | None
    after: Floats | None
    speaker: Floats
    date: Floats
    answer: Floats
    question: Floats
    length: Floats

    def weighted(self) -> dict[str, Floats]:
        """Return the signals with their weights, by the name of the part of the score."""
        parts = {
            "words": weights.BM25 * self.bm25,
            "session": weights.SESSION_BM25 * self.session_bm25,
            "speaker": weights.SPEAKER * self.speaker,
            "date": weights.DATE * self.date,
            "answer": weights.ANSWER * self.answer,
            "question": weights.QUESTION * self.question,
            "length": weights.LENGTH * self.length,
        }
        if self.cosine is not None and self.before is not None and self.after is not None:
            parts["meaning"] = weights.COSINE * self.cosine
            parts["neighbors"] = weights.COSINE_BEFORE * self.before + weights.COSINE_AFTER * self.after
        return parts

    def total(self) -> Floats:
        """The weighted sum."""
        total: Floats = functools.reduce(np.add, self.weighted().values())
        return total

    def scaled(self) -> Floats:
        """Return the weighted sum divided by its maximum, from 0 to 1: comparable within one answer."""
        scaled: Floats = np.clip(self.total() / self._most(), 0.0, 1.0)
        return scaled

    def shares(self, rows: Sequence[int]) -> list[dict[str, float]]:
        """Return the parts of the score of some rows, as shares of its maximum: the sum, cut to 0 to 1, is `scaled`."""
        chosen: dict[str, Any] = {
            name: signal[rows] for name in _SIGNALS if (signal := getattr(self, name)) is not None
        }
        some = replace(self, **chosen)
        parts = {name: (part / self._most()).tolist() for name, part in some.weighted().items()}
        return [{name: part[place] for name, part in parts.items()} for place in range(len(rows))]

    def _most(self) -> np.float32:
        return np.float32(_BY_WORDS + (0.0 if self.cosine is None else _BY_MEANING))


_SIGNALS = [each.name for each in fields(Signals)]


def signals(
    columns: Columns,
    query: Query,
    vector: Floats | None = None,
    *,
    allowed: NDArray[np.bool_] | None = None,
    most_compared: int = MOST_COMPARED,
) -> Signals:
    """Return the signals of every row.

    Args:
        columns: the messages.
        query: the parts of the query.
        vector: the embedding of the query, of length 1; without one, embeddings are not compared.
        allowed: the rows whose scores are asked for; None for all.
        most_compared: maximum rows whose cosines are all computed. Among more allowed rows, those of the best
            candidates are, by an estimate, and those of their neighbours; the cosine of each other row is 0.
    """
    by_words = Signals(
        bm25=_message_bm25(columns, query.words),
        session_bm25=_session_bm25(columns, query.words)[columns.session],
        cosine=None,
        before=None,
        after=None,
        speaker=_spoken_by(columns, query),
        date=_dated(columns, query.dates),
        answer=((columns.flags & query.asked) != 0).astype(np.float32),
        question=((columns.flags & Flag.QUESTION) != 0).astype(np.float32),
        length=np.log1p(columns.lengths),
    )
    if vector is None:
        return by_words
    if len(columns.scales) <= most_compared:
        return _with_cosines(by_words, columns, _cosines(columns.vectors, columns.scales, vector))
    rows = _compared(by_words, columns, vector, allowed, most_compared)
    cosines = np.zeros(len(columns.scales), np.float32)
    cosines[rows] = _cosines(columns.vectors[rows], columns.scales[rows], vector)
    return _with_cosines(by_words, columns, cosines)


def _compared(
    by_words: Signals, columns: Columns, vector: Floats, allowed: NDArray[np.bool_] | None, most_compared: int
) -> NDArray[np.intp]:
    """Return the rows whose cosines are computed, in a scope with more rows than can all be compared."""
    if allowed is not None and np.count_nonzero(allowed) <= most_compared:
        return with_neighbours(allowed)
    estimated = estimated_cosines(columns.signs, columns.scales, vector)
    measures = [estimated, _with_cosines(by_words, columns, estimated).total()]
    if allowed is not None:
        measures = [np.where(allowed, measure, np.float32(-np.inf)) for measure in measures]
    return candidates(*measures)


def _with_cosines(by_words: Signals, columns: Columns, cosines: Floats) -> Signals:
    return replace(by_words, cosine=cosines, before=_shifted(columns, cosines, 1), after=_shifted(columns, cosines, -1))


def _message_bm25(columns: Columns, words: Sequence[frozenset[int]]) -> Floats:
    rows = np.arange(len(columns.lengths), dtype=np.int32)
    return _bm25(columns.postings, words, rows, columns.lengths, weights.B)


def _session_bm25(columns: Columns, words: Sequence[frozenset[int]]) -> Floats:
    lengths = np.bincount(columns.session, columns.lengths, len(columns.session_ids)).astype(np.float32)
    return _bm25(columns.postings, words, columns.session, lengths, weights.B_OF_SESSIONS)


def _bm25(
    postings: Postings, words: Sequence[frozenset[int]], units: NDArray[np.int32], lengths: Floats, b: float
) -> Floats:
    """Return BM25 (Robertson and Zaragoza, 2009) of every unit, divided by the greatest.

    Args:
        postings: the terms of the rows.
        words: the words of the query, each as the hashes of its stems.
        units: the unit of each row: the row itself, or its session.
        lengths: the number of terms of each unit.
        b: the weight of the length, from 0 to 1.
    """
    scores = np.zeros(len(lengths), np.float32)
    norms = weights.K1 * (1 - b + b * lengths / max(float(lengths.mean()), 1e-9)) if len(lengths) else lengths
    for word in words:
        rows, counts = postings.of(word)
        found, place = np.unique(units[rows], return_inverse=True)
        frequency = np.bincount(place, counts, len(found)).astype(np.float32)
        rarity = np.log1p((len(lengths) - len(found) + 0.5) / (len(found) + 0.5))
        scores[found] += rarity * frequency * (weights.K1 + 1) / (frequency + norms[found])
    greatest = float(scores.max(initial=0.0))
    return scores / np.float32(greatest) if greatest else scores


_ROWS_AT_ONCE = 2_048  # as floats they take 3 MiB, and stay in a processor's cache: three times as fast as 8,192


def _cosines(vectors: NDArray[np.int8], scales: Floats, vector: Floats) -> Floats:
    found = np.zeros(len(scales), np.float32)
    for start in range(0, len(scales), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        found[part] = vectors[part].astype(np.float32) @ vector
    return found * scales


def _shifted(columns: Columns, values: Floats, by: int) -> Floats:
    """Return the value of the neighbour in the same session; 0 for a row without a neighbour."""
    shifted, neighbour = np.roll(values, by), np.roll(columns.session, by)
    shifted[neighbour != columns.session] = 0.0
    if len(shifted):
        shifted[0 if by > 0 else -1] = 0.0  # `roll` has put the value of the other end there
    return shifted


def _spoken_by(columns: Columns, query: Query) -> Floats:
    named = [place for place, speaker in enumerate(columns.speakers) if speaker in query.speakers]
    return np.isin(columns.speaker, named).astype(np.float32)


def _dated(columns: Columns, dates: Sequence[Named]) -> Floats:
    best = np.zeros(len(columns.times), np.float32)
    if not dates:
        return best
    days = columns.times // _MILLISECONDS_OF_DAY
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    for named in dates:
        best = np.maximum(best, _nearness(days, months, named))
    return best


def _nearness(days: NDArray[np.int64], months: NDArray[np.int64], named: Named) -> Floats:
    """Return the nearness of days to a date, from 0 to 1.

    Args:
        days: days since 1970-01-01.
        months: the month of each day, in months since January 1970.
        named: the date.
    """
    match named:
        case NamedDay(day):
            distance = np.abs(days - _days(day))
            conditions = [distance <= most for most, _ in weights.NAMED_DAY]
            return np.select(conditions, [value for _, value in weights.NAMED_DAY], 0.0).astype(np.float32)
        case NamedSpan(first, last):
            return _where((days >= _days(first)) & (days <= _days(last)), weights.NAMED_MONTH)
        case NamedMonth(month, None):
            return _where(months % 12 == month - 1, weights.NAMED_MONTH)
        case NamedMonth(month, int(year)):
            return _where(months == (year - 1970) * 12 + month - 1, weights.NAMED_MONTH)
        case NamedYear(year):
            return _where(months // 12 == year - 1970, weights.NAMED_YEAR)
        case _:
            raise AssertionError(named)


def _where(condition: NDArray[np.bool_], value: float) -> Floats:
    return condition.astype(np.float32) * np.float32(value)


def _days(day: date) -> int:
    return (day - _EPOCH).days
