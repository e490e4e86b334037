"""Ranking of the messages of a scope for a query."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.recall.columns import Columns
from graph.recall.mode import SearchMode
from graph.recall.query import Query
from graph.recall.scoring import Floats, Signals, signals

LEAST_COSINE = 0.2
"""Minimum cosine at which a message counts as similar in meaning to the query."""
MILLION = 1_000_000
_BITS_OF_PLACE = 32
_PLACES = (1 << _BITS_OF_PLACE) - 1


@dataclass(frozen=True, slots=True)
class Ranking:
    """The results of a query, best first, with equal scores by id.

    A search of many messages finds most of them, and shows few: only the shown results become objects of Python.

    Attributes:
        columns: the searched messages.
        keys: the sorted keys of the results. The upper bits of a key are 1,000,000 minus the score in millionths, the
            lower bits the place of the message in `columns.by_id`.
        measured: the signals of the searched messages.
        mode: the compared signals.
    """

    columns: Columns
    keys: NDArray[np.int64]
    measured: Signals
    mode: SearchMode

    def __len__(self) -> int:
        """Return the number of results."""
        return len(self.keys)

    def rows(self, part: slice) -> Iterator[tuple[int, int]]:
        """Yield the row and the score in millionths of each result of a part."""
        for key in map(int, self.keys[part]):
            yield int(self.columns.by_id[key & _PLACES]), MILLION - (key >> _BITS_OF_PLACE)

    def score_parts(self, rows: Sequence[int]) -> list[dict[str, float]]:
        """Return the parts of the scores of some rows, by the names of `Signals.weighted`."""
        if self.mode is SearchMode.VECTOR:
            return [{"meaning": similarity} for similarity in _similarity(self.measured)[rows].tolist()]
        return self.measured.shares(rows)

    def bounds(self, millionths: int, message_id: str) -> tuple[int, int]:
        """Return the number of results before a result, and with it, whether or not it is among them."""
        order = MILLION - min(max(millionths, -1), MILLION)
        ids, by_id = self.columns.message_ids, self.columns.by_id
        places = [side(by_id, message_id, key=ids.__getitem__) for side in (bisect_left, bisect_right)]
        before, until = np.searchsorted(self.keys, [(order << _BITS_OF_PLACE) + place for place in places])
        return int(before), int(until)


def rank(
    columns: Columns,
    query: Query,
    vector: Floats | None = None,
    *,
    mode: SearchMode = SearchMode.HYBRID,
    allowed: NDArray[np.bool_] | None = None,
    by_session: bool = True,
    every: bool = False,
) -> Ranking:
    """Search the messages of a scope.

    Args:
        columns: the messages.
        query: the parts of the query.
        vector: the embedding of the query; without one, embeddings are not compared.
        mode: the signals to compare.
        allowed: the rows that may be found; None for all. Other rows only affect the scores of these.
        by_session: whether the words of its session alone are enough for a message to be found.
        every: whether each allowed row is found, however low its score.
    """
    if vector is not None and (mode is SearchMode.LEXICAL or columns.vectors.shape[1] != len(vector)):
        vector = None  # no message has a vector of the model yet
    measured = signals(columns, query, vector, allowed=allowed)
    is_found = _is_found(measured, query, mode, by_session=by_session) | every
    if allowed is not None:
        is_found &= allowed
    scaled = _similarity(measured) if mode is SearchMode.VECTOR else measured.scaled()
    places = np.flatnonzero(is_found[columns.by_id])
    order = MILLION - np.rint(scaled[columns.by_id[places]] * MILLION).astype(np.int64)
    return Ranking(columns, np.sort((order << _BITS_OF_PLACE) + places), measured, mode)


def _is_found(measured: Signals, query: Query, mode: SearchMode, *, by_session: bool) -> NDArray[np.bool_]:
    """Return for each row whether any signal is strong enough: of the message, its session or a neighbour."""
    if mode is SearchMode.VECTOR:
        return _similarity(measured) >= LEAST_COSINE
    if query.phrases:
        return np.ones(len(measured.bm25), np.bool_)
    if not (query.words or query.speakers or query.dates):
        return np.zeros(len(measured.bm25), np.bool_)
    by_words = (measured.bm25 > 0) | (measured.speaker > 0) | (measured.date > 0)
    if by_session:
        by_words |= measured.session_bm25 > 0
    if measured.cosine is None or measured.before is None or measured.after is None:
        return by_words
    nearest = np.maximum(np.maximum(measured.cosine, measured.before), measured.after)
    return by_words | (nearest >= LEAST_COSINE)


def _similarity(measured: Signals) -> Floats:
    """Return the cosine of each row, cut to 0 to 1."""
    if measured.cosine is None:
        return np.zeros(len(measured.bm25), np.float32)
    similarity: Floats = np.clip(measured.cosine, 0.0, 1.0)
    return similarity
