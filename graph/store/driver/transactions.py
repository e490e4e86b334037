"""Transactions that several writers can run at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pymongo.errors import PyMongoError
from tenacity import AsyncRetrying, RetryError, retry_if_exception, wait_random_exponential
from tenacity.stop import stop_base

from graph.errors import Unavailable
from graph.store.driver.client import session_of, transaction_of

T = TypeVar("T")

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5  # seconds


class _StopAtDeadline(stop_base):
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def __call__(self, retry_state: Any) -> bool:
        return time.monotonic() + (retry_state.upcoming_sleep or 0) >= self.deadline


def _transient(error: BaseException) -> bool:
    return isinstance(error, PyMongoError) and (
        error.has_error_label("TransientTransactionError") or error.has_error_label("RetryableWriteError")
    )


async def _commit(session: Any, deadline: float) -> None:
    """Commit; a commit whose outcome is unknown is sent again, which MongoDB allows any number of times."""
    while True:
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult") or time.monotonic() >= deadline:
                raise
            await asyncio.sleep(_SHORTEST_PAUSE)
        else:
            return


async def in_transaction(client: Any, work: Callable[[Any], Awaitable[T]], *, deadline: float) -> T:
    """Run `work(session)` in one transaction and commit it, trying again while other writers are in its way.

    `work` may run several times, so all that it does must be within the transaction. Writers in other processes meet
    in the database; pauses with jitter keep them from meeting again.

    Args:
        client: the MongoDB client.
        work: does its reads and writes with the driver session that it is given.
        deadline: seconds after which no further attempt is begun.

    Raises:
        Unavailable: the deadline passed.
    """
    until = time.monotonic() + deadline
    attempts = AsyncRetrying(
        retry=retry_if_exception(_transient),
        wait=wait_random_exponential(multiplier=_SHORTEST_PAUSE, max=_LONGEST_PAUSE),
        stop=_StopAtDeadline(until),
    )
    try:
        async for attempt in attempts:
            with attempt:
                async with session_of(client) as session:
                    async with transaction_of(session):
                        result = await work(session)
                        await _commit(session, until)
                    return result
    except RetryError as error:
        message = f"the write could not be completed within {deadline:g} seconds: try again"
        raise Unavailable(message) from error.last_attempt.exception()
    raise AssertionError  # the loop above returns or raises
