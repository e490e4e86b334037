"""The messages of one scope in columns, as the score is computed on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from graph.recall.entries import Entry

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Postings:
    """Which rows have a term, and how often; sorted by the term."""

    terms: NDArray[np.uint32]
    rows: NDArray[np.int32]
    counts: NDArray[np.float32]

    def of(self, forms: Iterable[int]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The rows that have any of the terms, and how often; a row stands there once for each term."""
        spans = [
            slice(*(int(np.searchsorted(self.terms, np.uint32(form), side)) for side in ("left", "right")))
            for form in forms
        ]
        return (
            np.concatenate([self.rows[span] for span in spans]),
            np.concatenate([self.counts[span] for span in spans]),
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """The messages of one scope: row by row, by session and number.

    Attributes:
        message_ids: of each row.
        session_ids: of each session, by its index.
        speakers: of each speaker, by its index.
        languages: of any message.
        session: the index of each row's session.
        speaker: the index of each row's speaker.
        days: since 1970-01-01, in UTC.
        lengths: how many terms each row has.
        flags: of each row, see `recall.questions`.
        postings: the terms.
        vectors: of each row; zeros for a row without a vector.
        scales: of each row's vector; 0 for a row without a vector.
    """

    message_ids: Sequence[str]
    session_ids: Sequence[str]
    speakers: Sequence[str]
    languages: frozenset[str]
    session: NDArray[np.int32]
    speaker: NDArray[np.int32]
    days: NDArray[np.int32]
    lengths: NDArray[np.float32]
    flags: NDArray[np.uint8]
    postings: Postings
    vectors: NDArray[np.int8]
    scales: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """The bytes of the arrays, and about those of the names."""
        arrays = [getattr(self, each.name) for each in fields(self)] + [
            getattr(self.postings, each.name) for each in fields(Postings)
        ]
        names = (*self.message_ids, *self.session_ids, *self.speakers)
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray)) + 100 * len(names)


def columns_of(entries: Iterable[Entry], dimension: int) -> Columns:
    """The columns of messages.

    Args:
        entries: the messages, in any order.
        dimension: of the vectors; a vector of another one is of another model, and counts as none.
    """
    ordered = sorted(entries, key=lambda entry: (entry.session_id, entry.seq))
    session_ids, session = _indexed([entry.session_id for entry in ordered])
    speakers, speaker = _indexed([entry.speaker for entry in ordered])
    vectors, scales = _vectors(ordered, dimension)
    return Columns(
        message_ids=[entry.message_id for entry in ordered],
        session_ids=session_ids,
        speakers=speakers,
        languages=frozenset(entry.language for entry in ordered),
        session=session,
        speaker=speaker,
        days=np.fromiter(((entry.at - _EPOCH).days for entry in ordered), np.int32, len(ordered)),
        lengths=np.fromiter((entry.length for entry in ordered), np.float32, len(ordered)),
        flags=np.fromiter((entry.flags for entry in ordered), np.uint8, len(ordered)),
        postings=_postings(ordered),
        vectors=vectors,
        scales=scales,
    )


def _indexed(values: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """The different values, and the index of each."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return list(places), np.fromiter((places[value] for value in values), np.int32, len(values))


def _postings(ordered: Sequence[Entry]) -> Postings:
    total = sum(len(entry.terms) for entry in ordered)
    terms = np.fromiter((term for entry in ordered for term in entry.terms), np.uint32, total)
    counts = np.fromiter((count for entry in ordered for count in entry.terms.values()), np.float32, total)
    rows = np.repeat(np.arange(len(ordered), dtype=np.int32), [len(entry.terms) for entry in ordered])
    order = np.argsort(terms, kind="stable")
    return Postings(terms[order], rows[order], counts[order])


def _vectors(ordered: Sequence[Entry], dimension: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    vectors = np.zeros((len(ordered), dimension), np.int8)
    scales = np.zeros(len(ordered), np.float32)
    for row, entry in enumerate(ordered):
        if dimension and len(entry.vector) == dimension:
            vectors[row] = np.frombuffer(entry.vector, np.int8)
            scales[row] = entry.scale
    return vectors, scales
