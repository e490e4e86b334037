"""Cancellations of a task that PyMongo's client for asyncio loses.

`asyncio.wait_for` of Python 3.11 loses a cancellation that comes in the same turn of the event loop as the end of its
wait (fixed in Python 3.12). PyMongo waits so for each write to a socket, for new connections and for a server:

- Where the command succeeds nevertheless, its task is cancelled at the end of the command.
- While MongoDB refuses connections, all tasks that select a server wake each other up several times a second. One of a
  few cancelled tasks goes on until its time limit, so this wait is replaced.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pymongo.lock

T = TypeVar("T")


async def _wait_for(work: Awaitable[T], timeout: float | None) -> T:
    """Wait as `asyncio.wait_for` of Python 3.12 does, which loses no cancellation."""
    async with asyncio.timeout(timeout):
        return await work


def lose_no_cancellation() -> None:
    """Make PyMongo's client wait for conditions as on Python 3.12."""
    if sys.version_info < (3, 12):
        pymongo.lock.wait_for = _wait_for  # type: ignore[assignment,attr-defined]


@contextmanager
def lost_cancellation_raised() -> Iterator[None]:
    """Raise `asyncio.CancelledError` at the end of the block if the task was cancelled within it to no effect.

    An error of the block is then its cause: who catches the error would go on.
    """
    task = asyncio.current_task()
    requests = task.cancelling() if task is not None else 0
    try:
        yield
    except Exception as error:
        if task is not None and task.cancelling() > requests:
            raise asyncio.CancelledError from error
        raise
    if task is not None and task.cancelling() > requests:
        raise asyncio.CancelledError
