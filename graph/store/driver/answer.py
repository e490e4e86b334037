"""How many bytes the reads of one operation may bring, so that neither its answer nor its memory has no end.

The bound is kept while reading: each read takes one batch, which MongoDB ends at 16 MiB, few reads are under way at
once, and no read begins when nothing is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Unpack

import orjson

from graph.errors import TooCostly

if TYPE_CHECKING:
    from graph.store.driver.collection import Collection, D, Fields, Filter, Ordering

_AT_ONCE = 4
"""Reads of one operation that are under way at once: each may bring 16 MiB before it is counted."""

MOST = 2_000
"""Documents of one read."""

_SURELY_WHOLE = 1_048_576
"""Bytes of documents as JSON below which MongoDB has not ended their batch early."""


class _Budget:
    """The bytes that are left to one operation."""

    __slots__ = ("copies", "left", "limit", "turns")

    def __init__(self, limit: int, copies: int) -> None:
        self.limit = self.left = limit
        self.copies = copies
        self.turns = asyncio.Semaphore(_AT_ONCE)

    def check(self) -> None:
        """Refuse a read when nothing is left."""
        if self.left <= 0:
            raise self.spent()

    def fitting(self, documents: Sequence[Mapping[str, object]]) -> tuple[int, int]:
        """How many of the documents fit, and the bytes of all; those that fit are counted."""
        size = self.copies * _size(documents)
        if size <= self.left:
            self.left -= size
            return len(documents), size
        for number, document in enumerate(documents):
            one = self.copies * _size(document)
            if one > self.left:
                return number, size
            self.left -= one
        return len(documents), size

    def spent(self) -> TooCostly:
        """The error of an answer that would be too large."""
        return TooCostly(
            f"the answer would have more than {self.limit:,} bytes, the maximum:"
            " ask for fewer items, or for fewer fields, at once",
            setting="RECALLQL_MAX_ANSWER_BYTES",
        )


_BUDGET: ContextVar[_Budget | None] = ContextVar("answer", default=None)


@contextmanager
def answer_limit(limit: int, *, copies: int = 1) -> Iterator[None]:
    """Bound the bytes that the reads within the block bring together.

    Args:
        limit: in bytes as JSON; 0 for no limit.
        copies: how often the answer may hold one value that is read.
    """
    token = _BUDGET.set(_Budget(limit, copies) if limit else None)
    try:
        yield
    finally:
        _BUDGET.reset(token)


async def read_fitting(
    collection: Collection[D], match: Filter, fields: Fields, *, limit: int | None, **options: Unpack[Ordering]
) -> tuple[list[D], bool]:
    """The first documents that match, as many as fit into the answer; whether some were left out for their size.

    Args:
        collection: the collection.
        match: the filter.
        fields: the projection.
        limit: the maximum number, at least 1; None for all, of which there are `MOST` at most where they are bounded.
        options: `sort` and `hint`.
    """
    budget = _BUDGET.get()
    if budget is None:
        size = min(limit or MOST, MOST) + 1  # so that a page is one round trip
        return await collection.find(match, fields, limit=limit or 0, batch_size=size, **options), False
    limit = limit or MOST
    async with budget.turns:
        budget.check()
        # With a negative limit, MongoDB gives one batch and ends it at 16 MiB.
        cursor = collection.find(match, fields, limit=-limit, batch_size=limit + 1, **options)
        found = await cursor
        fitting, size = budget.fitting(found)
    if fitting < len(found):
        return found[:fitting], True
    if len(found) == limit or size < _SURELY_WHOLE:
        return found, False
    following = await collection.find_one(match, {"_id": 1}, skip=len(found), **options)
    return found, following is not None


async def read_whole(
    collection: Collection[D], match: Filter, fields: Fields, *, limit: int | None, **options: Unpack[Ordering]
) -> list[D]:
    """The first documents that match.

    Raises:
        TooCostly: they do not fit into the answer.
    """
    found, is_cut = await read_fitting(collection, match, fields, limit=limit, **options)
    if is_cut:
        refuse_answer()
    return found


def count_bytes(size: int) -> None:
    """Count bytes that were read for the answer.

    Raises:
        TooCostly: they do not fit into it.
    """
    budget = _BUDGET.get()
    if budget is not None:
        budget.check()
        budget.left -= budget.copies * size
        budget.check()


def count_documents(documents: Sequence[Mapping[str, object]]) -> None:
    """Count documents that were read for the answer.

    Raises:
        TooCostly: they do not fit into it.
    """
    if _BUDGET.get() is not None:
        count_bytes(_size(documents))


def refuse_larger(size: int) -> None:
    """Refuse an operation, before it changes anything, whose answer will hold values of `size` bytes.

    Raises:
        TooCostly: they do not fit into the answer.
    """
    budget = _BUDGET.get()
    if budget is not None and budget.copies * size > budget.left:
        raise budget.spent()


def refuse_answer() -> None:
    """Refuse the operation for the bytes of its answer, where they are bounded.

    Raises:
        TooCostly: always, where they are.
    """
    budget = _BUDGET.get()
    if budget is not None:
        raise budget.spent()


def _size(value: object) -> int:
    """The bytes of a value as JSON."""
    return len(orjson.dumps(value, default=str))
