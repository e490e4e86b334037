"""The maximum bytes that one operation reads, which bounds its answer and its memory.

The bound holds during the reads: each read takes one batch, which MongoDB ends at 16 MiB, few reads run at once, and no
read begins when no bytes are left.
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
    from graph.store.driver.collection import Collection, D, Fields, Filter, OrderOptions

_AT_ONCE = 4
"""Maximum concurrent reads of one operation: each can return 16 MiB before its bytes are counted."""

MOST = 2_000
"""Documents of one read."""

_SURELY_WHOLE = 1_048_576
"""Bytes of documents as JSON below which their batch is complete."""


class _Budget:
    """The remaining bytes of one operation."""

    __slots__ = ("copies", "left", "limit", "turns")

    def __init__(self, limit: int, copies: int) -> None:
        self.limit = self.left = limit
        self.copies = copies
        self.turns = asyncio.Semaphore(_AT_ONCE)

    def check(self) -> None:
        """Refuse a read when no bytes are left."""
        if self.left <= 0:
            raise self.spent()

    def fitting(self, documents: Sequence[Mapping[str, object]]) -> tuple[int, int]:
        """Count the documents that fit; return their number, and the bytes of all documents."""
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
        """Return the error of an answer that is too large."""
        return TooCostly(
            f"the answer would have more than {self.limit:,} bytes, the maximum:"
            " ask for fewer items, or for fewer fields, at once",
            setting="RECALLQL_MAX_ANSWER_BYTES",
        )


_BUDGET: ContextVar[_Budget | None] = ContextVar("answer", default=None)


@contextmanager
def answer_limit(limit: int, *, copies: int = 1) -> Iterator[None]:
    """Bound the total bytes of the reads within the block.

    Args:
        limit: maximum bytes as JSON; 0 disables the limit.
        copies: maximum times that the answer repeats one value.
    """
    token = _BUDGET.set(_Budget(limit, copies) if limit else None)
    try:
        yield
    finally:
        _BUDGET.reset(token)


async def read_fitting(
    collection: Collection[D], match: Filter, fields: Fields, *, limit: int | None, **options: Unpack[OrderOptions]
) -> tuple[list[D], bool]:
    """Return the first matching documents that fit into the answer, and whether some were left out for their size.

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
        found = await collection.find_at_once(match, fields, limit=limit, **options)
        fitting, size = budget.fitting(found)
    if fitting < len(found):
        return found[:fitting], True
    if len(found) == limit or size < _SURELY_WHOLE:
        return found, False
    following = await collection.find_one(match, {"_id": 1}, skip=len(found), **options)
    return found, following is not None


async def read_whole(
    collection: Collection[D], match: Filter, fields: Fields, *, limit: int | None, **options: Unpack[OrderOptions]
) -> list[D]:
    """The first documents that match.

    Raises:
        TooCostly: the documents do not fit into the answer.
    """
    found, is_cut = await read_fitting(collection, match, fields, limit=limit, **options)
    if is_cut:
        refuse_answer()
    return found


def count_bytes(size: int) -> None:
    """Count bytes that were read for the answer.

    Raises:
        TooCostly: the bytes do not fit into the answer.
    """
    budget = _BUDGET.get()
    if budget is not None:
        budget.check()
        budget.left -= budget.copies * size
        budget.check()


def count_documents(documents: Sequence[Mapping[str, object]]) -> None:
    """Count documents that were read for the answer.

    Raises:
        TooCostly: the documents do not fit into the answer.
    """
    if _BUDGET.get() is not None:
        count_bytes(_size(documents))


def refuse_larger(size: int) -> None:
    """Refuse an operation, before it changes anything, whose answer will hold values of `size` bytes.

    Raises:
        TooCostly: the values do not fit into the answer.
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
