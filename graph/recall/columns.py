"""The messages of one scope as columns of numbers, the input of the score."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from graph.recall.entries import Entry
from graph.recall.vectors import signs_of

_BYTES_OF_PAIR = 8
_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)
_BITS_OF_SEQ = 40

Number = TypeVar("Number", bound=np.generic)


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
    """The messages of one scope, one row each, the rows of a session together, by number.

    Attributes:
        message_ids: the id of each row.
        session_ids: the session ids, by the index of the session.
        roles: the roles, by the index of the role.
        speakers: the speakers, by the index of the speaker.
        languages: the languages of the messages.
        session: the index of each row's session.
        role: the index of each row's role.
        speaker: the index of each row's speaker.
        seqs: the number of each row in its session.
        times: the time of each row, in milliseconds since 1970-01-01, in UTC.
        lengths: the number of terms of each row.
        flags: the flags of each row, see `recall.questions`.
        postings: the terms.
        by_id: the rows in the order of their ids, which is the order of rows with equal scores.
        vectors: the vector of each row, of shape (rows, dimension); zeros for a row without a vector.
        signs: the signs of each row's vector, of shape (words, rows), see `recall.prefilter`.
        scales: the scale of each row's vector; 0 for a row without a vector.
    """

    message_ids: NDArray[np.object_]
    session_ids: Sequence[str]
    roles: Sequence[str]
    speakers: Sequence[str]
    languages: frozenset[str]
    session: NDArray[np.int32]
    role: NDArray[np.int32]
    speaker: NDArray[np.int32]
    seqs: NDArray[np.int64]
    times: NDArray[np.int64]
    lengths: NDArray[np.float32]
    flags: NDArray[np.uint8]
    postings: Postings
    by_id: NDArray[np.int32]
    vectors: NDArray[np.int8]
    signs: NDArray[np.uint64]
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
    roles, role = _indexed([entry.role for entry in ordered])
    speakers, speaker = _indexed([entry.speaker for entry in ordered])
    postings = _postings(ordered)
    vectors, scales = _vectors(ordered, dimension)
    return Columns(
        message_ids=np.array([entry.message_id for entry in ordered], np.object_),
        session_ids=session_ids,
        roles=roles,
        speakers=speakers,
        languages=frozenset(entry.language for entry in ordered),
        session=session,
        role=role,
        speaker=speaker,
        seqs=np.fromiter((entry.seq for entry in ordered), np.int64, len(ordered)),
        times=np.fromiter((milliseconds(entry.at) for entry in ordered), np.int64, len(ordered)),
        lengths=np.bincount(postings.rows, postings.counts, len(ordered)).astype(np.float32),
        flags=np.fromiter((entry.flags for entry in ordered), np.uint8, len(ordered)),
        postings=postings,
        by_id=np.argsort(np.array([entry.message_id for entry in ordered], np.str_)).astype(np.int32),
        vectors=vectors,
        signs=signs_of(vectors),
        scales=scales,
    )


def updated(columns: Columns, entries: Iterable[Entry]) -> Columns:
    """Return the columns with these messages as well, each in place of the row with its id, if there is one.

    It copies columns and sorts only the new messages. The names of sessions, speakers and languages without a row stay.
    """
    fresh = columns_of(entries, columns.vectors.shape[1])
    session_ids, sessions = _indexed([*columns.session_ids, *fresh.session_ids])
    roles, role_places = _indexed([*columns.roles, *fresh.roles])
    speakers, speaker_places = _indexed([*columns.speakers, *fresh.speakers])
    kept = _others(columns, fresh.message_ids.tolist())
    of_fresh = sessions[len(columns.session_ids) :][fresh.session]
    keys = np.concatenate([columns.session[kept], of_fresh]).astype(np.int64) << _BITS_OF_SEQ
    keys += np.concatenate([columns.seqs[kept], fresh.seqs])
    rows = np.empty(len(keys), np.int32)
    rows[np.argsort(keys, kind="stable")] = np.arange(len(keys), dtype=np.int32)
    moved = _Moved(kept, rows[: len(kept)], rows[len(kept) :])
    message_ids = moved.joined(columns.message_ids, fresh.message_ids)
    return Columns(
        message_ids=message_ids,
        session_ids=session_ids,
        roles=roles,
        speakers=speakers,
        languages=columns.languages | fresh.languages,
        session=moved.joined(columns.session, of_fresh),
        role=moved.joined(columns.role, role_places[len(columns.roles) :][fresh.role]),
        speaker=moved.joined(columns.speaker, speaker_places[len(columns.speakers) :][fresh.speaker]),
        seqs=moved.joined(columns.seqs, fresh.seqs),
        times=moved.joined(columns.times, fresh.times),
        lengths=moved.joined(columns.lengths, fresh.lengths),
        flags=moved.joined(columns.flags, fresh.flags),
        postings=moved.joined_postings(columns.postings, fresh.postings),
        by_id=moved.joined_order(columns.by_id, fresh.by_id, message_ids),
        vectors=moved.joined(columns.vectors, fresh.vectors),
        signs=moved.joined_words(columns.signs, fresh.signs),
        scales=moved.joined(columns.scales, fresh.scales),
    )


def milliseconds(at: datetime) -> int:
    """Return a time in milliseconds since 1970-01-01, in UTC."""
    return (at - _EPOCH) // _MILLISECOND


def _others(columns: Columns, message_ids: Iterable[str]) -> NDArray[np.intp]:
    """Return the rows of other messages than these."""
    is_other = np.ones(len(columns.message_ids), np.bool_)
    ids, by_id = columns.message_ids, columns.by_id
    for message_id in message_ids:
        place = bisect_left(by_id, message_id, key=ids.__getitem__)
        if place < len(by_id) and ids[by_id[place]] == message_id:
            is_other[by_id[place]] = False
    return np.flatnonzero(is_other)


@dataclass(frozen=True, slots=True)
class _Moved:
    """Where the rows of two columns are when they are joined.

    Attributes:
        kept: the rows that stay, of the former columns.
        places: the new row of each row that stays.
        fresh: the new row of each row of the fresh columns.
    """

    kept: NDArray[np.intp]
    places: NDArray[np.int32]
    fresh: NDArray[np.int32]

    def joined(self, former: NDArray[Number], fresh: NDArray[Number]) -> NDArray[Number]:
        """Return one column."""
        column = np.empty((len(self.places) + len(self.fresh), *former.shape[1:]), former.dtype)
        column[self.places] = former if len(self.kept) == len(former) else former[self.kept]
        column[self.fresh] = fresh
        return column

    def joined_words(self, former: NDArray[np.uint64], fresh: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return columns of shape (words, rows)."""
        words = [self.joined(*each) for each in zip(former, fresh, strict=True)]
        return np.array(words, np.uint64).reshape(len(words), len(self.places) + len(self.fresh))

    def joined_postings(self, former: Postings, fresh: Postings) -> Postings:
        """Return the postings of both."""
        rows = self._rows_after(former.rows)
        left = rows >= 0
        terms = former.terms[left]
        at = np.searchsorted(terms, fresh.terms)
        return Postings(
            np.insert(terms, at, fresh.terms),
            np.insert(rows[left], at, self.fresh[fresh.rows]),
            np.insert(former.counts[left], at, fresh.counts),
        )

    def joined_order(
        self, former: NDArray[np.int32], fresh: NDArray[np.int32], message_ids: NDArray[np.object_]
    ) -> NDArray[np.int32]:
        """Return the rows of both in the order of their ids."""
        rows = self._rows_after(former)
        rows, added = rows[rows >= 0], self.fresh[fresh]
        at = [bisect_left(rows, message_ids[row], key=message_ids.__getitem__) for row in added]
        return np.insert(rows, np.array(at, np.intp), added)

    def _rows_after(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the new rows of former rows; -1 for a row that does not stay."""
        after = np.full(len(rows) and int(rows.max()) + 1, -1, np.int32)
        kept = self.kept[self.kept < len(after)]
        after[kept] = self.places[: len(kept)]
        return after[rows]


def _indexed(values: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """Return the distinct values, and the index of each given value."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return list(places), np.fromiter((places[value] for value in values), np.int32, len(values))


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
