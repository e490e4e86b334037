"""Deadlines: the only module that bounds the time of the driver's commands.

Deadlines nest: a command ends by the earliest one around it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import pymongo

_SHORTEST = 0.001
"""Minimum seconds of a deadline: 0 is no limit to PyMongo."""

_until: ContextVar[float] = ContextVar("until", default=float("inf"))


@contextmanager
def commands_within(seconds: float) -> Iterator[None]:
    """Bound the total time of the commands within the block; MongoDB ends the unfinished ones.

    Args:
        seconds: the maximum time; 0 disables the limit.
    """
    with pymongo.timeout(seconds or None):
        yield


@contextmanager
def bounded(seconds: float) -> Iterator[float]:
    """Bound the total time of the block; yield its end, by the clock of `time.monotonic`.

    At the end, commands in MongoDB fail, and transactions begin no further attempt. A nested block ends with the outer
    block at the latest.

    Args:
        seconds: the maximum time.
    """
    until = end_of(seconds)
    token = _until.set(until)
    try:
        with commands_within(remaining(until)):
            yield until
    finally:
        _until.reset(token)


def end_of(seconds: float) -> float:
    """Return the end of work that begins now, by the clock of `time.monotonic`.

    Args:
        seconds: the maximum time; a block of `bounded` around the call may leave less.
    """
    return min(_until.get(), time.monotonic() + seconds)


def remaining(until: float) -> float:
    """Return the seconds until then; never 0, which disables a limit."""
    return max(_SHORTEST, until - time.monotonic())
