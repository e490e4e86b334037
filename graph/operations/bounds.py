"""Bounds of the reads of one request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager

from graph.operations.backend import Backend
from graph.store.driver.answer import answer_limit, refuse_larger
from graph.store.driver.client import time_limit


@asynccontextmanager
async def read_bounds(backend: Backend, *, changes: bool, copies: int = 1) -> AsyncIterator[None]:
    """Bound the bytes read from MongoDB and, for a request that changes nothing, the time of the reads.

    A change has its own deadline.

    Args:
        backend: the open parts of this process.
        changes: whether the request changes data.
        copies: maximum times that the answer repeats one value.

    Raises:
        Unavailable: MongoDB answers nothing.
    """
    with byte_bound(backend, copies=copies):
        if changes:
            yield
            return
        with time_limit(backend.settings.database_timeout):
            async with backend.database.presence.needed():
                yield


@contextmanager
def event_bounds(backend: Backend) -> Iterator[None]:
    """Bound the bytes and the time of the reads for one event: its task has no time limit from a request."""
    with byte_bound(backend), time_limit(backend.settings.database_timeout):
        yield


def byte_bound(backend: Backend, *, copies: int = 1) -> AbstractContextManager[None]:
    """Bound the bytes that the database brings for one answer, in which a value may stand this number of times."""
    return answer_limit(backend.settings.max_answer_bytes, copies=copies)


def refuse_larger_answer(size: int) -> None:
    """Refuse an answer with more than the maximum bytes, before the operation runs.

    Raises:
        TooCostly: the answer is larger.
    """
    refuse_larger(size)
