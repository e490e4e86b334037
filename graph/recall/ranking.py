"""The messages of a scope for a query, best first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from graph.recall.columns import columns_of
from graph.recall.entries import Entry
from graph.recall.query import Query, read_query
from graph.recall.scoring import Signals, signals


@dataclass(frozen=True, slots=True)
class Ranking:
    """The results of a query, best first.

    Attributes:
        query: as it was read.
        message_ids: of the messages that were found.
        millionths: their scores, from 0 to 1,000,000, as whole numbers.
    """

    query: Query
    message_ids: Sequence[str]
    millionths: Sequence[int]


def rank(entries: Collection[Entry], text: str, now: datetime, allowed: Collection[str] | None = None) -> Ranking:
    """Search the messages of a scope by words, speakers and dates.

    Args:
        entries: the messages.
        text: the query.
        now: what relative dates are relative to.
        allowed: the ids of the messages that may be found; None for all. The others count in the score only.
    """
    columns = columns_of(entries, 0)
    query = read_query(text, columns.speakers, columns.languages, now)
    measured = signals(columns, query)
    rows = np.flatnonzero(_is_found(measured, query))
    scores = np.rint(measured.scaled() * 1_000_000).astype(np.int64)
    found = [(-int(scores[row]), columns.message_ids[row]) for row in rows.tolist()]
    kept = sorted(one for one in found if allowed is None or one[1] in allowed)
    return Ranking(query, [message_id for _, message_id in kept], [-score for score, _ in kept])


def _is_found(measured: Signals, query: Query) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether anything that the query names meets the message or its session."""
    if query.phrases:
        return np.ones(len(measured.bm25), np.bool_)
    return (measured.bm25 > 0) | (measured.session_bm25 > 0) | (measured.speaker > 0) | (measured.date > 0)
