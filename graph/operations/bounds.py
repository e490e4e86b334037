"""The bounds of what one request reads from the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from graph.operations.backend import Backend
from graph.store.driver.answer import answer_limit, refuse_larger
from graph.store.driver.client import time_limit


@contextmanager
def read_bounds(backend: Backend, *, changes: bool, copies: int = 1) -> Iterator[None]:
    """Bound the bytes that the database brings, and the time that it takes for a request that changes nothing.

    A change has a deadline of its own.

    Args:
        backend: the open parts of this process.
        changes: whether the request changes anything.
        copies: how often the answer may hold one value.
    """
    settings = backend.settings
    with (
        nullcontext() if changes else time_limit(settings.database_timeout),
        answer_limit(settings.max_answer_bytes, copies=copies),
    ):
        yield


def refuse_larger_answer(size: int) -> None:
    """Refuse an answer of more bytes than an answer may hold, before anything is done for it.

    Raises:
        TooCostly: the answer is larger.
    """
    refuse_larger(size)
