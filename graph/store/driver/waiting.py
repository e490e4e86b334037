"""Waits of PyMongo's client for asyncio that a cancelled task leaves.

`asyncio.wait_for` of Python 3.11 loses a cancellation that comes in the same turn of the event loop as the end of its
wait. While MongoDB refuses connections, all tasks that select a server wake each other up several times a
second: one of a few cancelled tasks goes on, until its time limit.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
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
