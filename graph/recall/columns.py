"""The messages of one scope as columns of numbers, the input of the score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from graph.recall.entries import Entry

_BYTES_OF_PAIR = 8
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Postings:
    """The rows with each term and its frequencies, sorted by the term."""

    terms: NDArray[np.uint32]
    rows: NDArray[np.int32]
    counts: NDArray[np.float32]

    def of(self, forms: Iterable[int]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the rows with any of the terms, and the frequencies; a row occurs once for each of its terms."""
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
    """The messages of one scope, one row each, sorted by session and number.

    Attributes:
        message_ids: the id of each row.
        session_ids: the session ids, by the index of the session.
        speakers: the speakers, by the index of the speaker.
        languages: the languages of the messages.
        session: the index of each row's session.
        speaker: the index of each row's speaker.
        days: since 1970-01-01, in UTC.
        lengths: the number of terms of each row.
        flags: the flags of each row, see `recall.questions`.
        postings: the terms.
        places: the place of each row's id among the sorted ids, the order of rows with equal scores.
        vectors: the vector of each row, of shape (rows, dimension); zeros for a row without a vector.
        scales: the scale of each row's vector; 0 for a row without a vector.
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
    places: NDArray[np.int32]
    vectors: NDArray[np.int8]
    scales: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Return the bytes of the arrays, and an estimate of those of the names."""
        arrays = [getattr(self, each.name) for each in fields(self)] + [
            getattr(self.postings, each.name) for each in fields(Postings)
        ]
        names = (*self.message_ids, *self.session_ids, *self.speakers)
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray)) + 100 * len(names)


def columns_of(entries: Iterable[Entry], dimension: int) -> Columns:
    """Return the columns of messages.

    Args:
        entries: the messages, in any order.
        dimension: the dimension of the vectors; a vector of another dimension belongs to another model, and is ignored.
    """
    ordered = sorted(entries, key=lambda entry: (entry.session_id, entry.seq))
    session_ids, session = _indexed([entry.session_id for entry in ordered])
    speakers, speaker = _indexed([entry.speaker for entry in ordered])
    postings = _postings(ordered)
    vectors, scales = _vectors(ordered, dimension)
    return Columns(
        message_ids=[entry.message_id for entry in ordered],
        session_ids=session_ids,
        speakers=speakers,
        languages=frozenset(entry.language for entry in ordered),
        session=session,
        speaker=speaker,
        days=np.fromiter(((entry.at - _EPOCH).days for entry in ordered), np.int32, len(ordered)),
        lengths=np.bincount(postings.rows, postings.counts, len(ordered)).astype(np.float32),
        flags=np.fromiter((entry.flags for entry in ordered), np.uint8, len(ordered)),
        postings=postings,
        places=_places([entry.message_id for entry in ordered]),
        vectors=vectors,
        scales=scales,
    )


def _indexed(values: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """Return the distinct values, and the index of each given value."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return list(places), np.fromiter((places[value] for value in values), np.int32, len(values))


def _places(values: Sequence[str]) -> NDArray[np.int32]:
    """Return the place of each value among the sorted values."""
    places = np.empty(len(values), np.int32)
    places[np.argsort(np.array(values, np.str_))] = np.arange(len(values), dtype=np.int32)
    return places


def _postings(ordered: Sequence[Entry]) -> Postings:
    pairs = np.frombuffer(b"".join(entry.packed_terms for entry in ordered), np.dtype("<u4")).reshape(-1, 2)
    terms, counts = pairs[:, 0].astype(np.uint32), pairs[:, 1].astype(np.float32)
    widths = [len(entry.packed_terms) // _BYTES_OF_PAIR for entry in ordered]
    rows = np.repeat(np.arange(len(ordered), dtype=np.int32), widths)
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
