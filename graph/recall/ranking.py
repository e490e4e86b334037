"""Ranking of the messages of a scope for a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.recall.columns import Columns
from graph.recall.mode import SearchMode
from graph.recall.query import Query
from graph.recall.scoring import Floats, Signals, signals

LEAST_COSINE = 0.2
"""Minimum cosine at which a message counts as similar in meaning to the query."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The results of a query, best first.

    Attributes:
        message_ids: the ids of the found messages.
        millionths: their scores, from 0 to 1,000,000, as whole numbers.
    """

    message_ids: Sequence[str]
    millionths: Sequence[int]


def rank(
    columns: Columns,
    query: Query,
    vector: Floats | None = None,
    *,
    mode: SearchMode = SearchMode.HYBRID,
    allowed: Sequence[bool] | None = None,
    by_session: bool = True,
) -> Ranking:
    """Search the messages of a scope.

    Args:
        columns: the messages.
        query: the parts of the query.
        vector: the embedding of the query; without one, embeddings are not compared.
        mode: the signals to compare.
        allowed: the rows that may be found; None for all. Other rows only affect the scores of these.
        by_session: whether the words of its session alone are enough for a message to be found.
    """
    if vector is not None and (mode is SearchMode.LEXICAL or columns.vectors.shape[1] != len(vector)):
        vector = None  # no message has a vector of the model yet
    measured = signals(columns, query, vector)
    is_found = _is_found(measured, query, mode, by_session=by_session)
    rows = np.flatnonzero(is_found if allowed is None else is_found & np.array(allowed, np.bool_))
    scaled = _similarity(measured) if mode is SearchMode.VECTOR else measured.scaled()
    scores = np.rint(scaled * 1_000_000).astype(np.int64)
    rows = rows[np.lexsort((columns.places[rows], -scores[rows]))]
    return Ranking([columns.message_ids[row] for row in rows.tolist()], scores[rows].tolist())


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
