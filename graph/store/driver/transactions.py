"""Transactions that several writers can run at once, each bounded in time as a whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pymongo.errors import PyMongoError
from tenacity import AsyncRetrying, RetryError, retry_if_exception, wait_random_exponential
from tenacity.stop import stop_base

from graph.errors import OutcomeUnknown, Unavailable
from graph.store.driver.client import session_of, transaction_of
from graph.store.driver.deadline import commands_within, end_of, remaining
from graph.store.driver.errors import translated_errors
from graph.store.driver.types import Client, Transaction

T = TypeVar("T")

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5  # seconds
_SHORTEST_ANSWER = 1.0
"""Minimum seconds for the answer to a commit, even beyond the deadline."""
LOOK_UP_SHARE = 0.2
"""Share of the deadline for looking up the outcome of a commit that MongoDB did not confirm."""


@asynccontextmanager
async def held(lock: asyncio.Lock, until: float, deadline: float) -> AsyncIterator[None]:
    """Hold a lock of this process; no writer waits for the lock beyond the deadline.

    Args:
        lock: the lock.
        until: the end, by the clock of `time.monotonic`.
        deadline: the given seconds, for the message.

    Raises:
        Unavailable: others held it until the end.
    """
    try:
        async with asyncio.timeout(remaining(until)):
            await lock.acquire()
    except TimeoutError:
        raise _not_stored(deadline) from None
    try:
        yield
    finally:
        lock.release()


def _not_stored(deadline: float) -> Unavailable:
    return Unavailable(
        f"the write could not be completed within {deadline:g} seconds, and nothing of it is stored: try again"
    )


class _StopAtDeadline(stop_base):
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def __call__(self, retry_state: Any) -> bool:
        return time.monotonic() + (retry_state.upcoming_sleep or 0) >= self.deadline


def _transient(error: BaseException) -> bool:
    return isinstance(error, PyMongoError) and (
        error.has_error_label("TransientTransactionError") or error.has_error_label("RetryableWriteError")
    )


async def _commit(tx: Transaction, until: float, deadline: float) -> None:
    """Commit; if the outcome is unknown, send the commit again, which MongoDB allows any number of times.

    A commit waits for its answer during half of the remaining time, so that time is left for another connection.

    Raises:
        OutcomeUnknown: the outcome is not known.
    """
    while True:  # not tenacity's loop: each attempt has half of the time that is left, and is the last by that time
        left = until - time.monotonic()
        try:
            with commands_within(max(left / 2, _SHORTEST_ANSWER)):
                await tx.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult"):
                raise
            if time.monotonic() + _SHORTEST_ANSWER >= until:
                message = (
                    f"MongoDB did not say within {deadline:g} seconds whether the write is stored: it may be, or not;"
                    " look before you send it again"
                )
                raise OutcomeUnknown(message) from error
            await asyncio.sleep(_SHORTEST_PAUSE)
        else:
            return


async def in_transaction(client: Client, work: Callable[[Transaction], Awaitable[T]], *, deadline: float) -> T:
    """Run `work(tx)` in one transaction and commit it, trying again while other writers are in its way.

    `work` may run several times, so it must have no effects outside the transaction. Writers of other processes
    conflict in MongoDB; pauses with jitter keep them from conflicting again.

    Args:
        client: the MongoDB client.
        work: reads and writes with the given transaction.
        deadline: maximum seconds of all attempts; a block of `bounded` around the call may leave fewer.

    Raises:
        OutcomeUnknown: the commit was sent, and no answer said whether it succeeded.
        Unavailable: the deadline passed; nothing is stored.
    """
    until = end_of(deadline)
    attempts = AsyncRetrying(
        retry=retry_if_exception(_transient),
        wait=wait_random_exponential(multiplier=_SHORTEST_PAUSE, max=_LONGEST_PAUSE),
        stop=_StopAtDeadline(until),
    )
    try:
        with translated_errors():
            async for attempt in attempts:
                with attempt:
                    return await _attempt(client, work, until, deadline)
    except RetryError as error:
        raise _not_stored(deadline) from error.last_attempt.exception()
    raise AssertionError  # the loop above returns or raises


async def _attempt(client: Client, work: Callable[[Transaction], Awaitable[T]], until: float, deadline: float) -> T:
    async with session_of(client) as session, transaction_of(session):
        with commands_within(remaining(until)):
            result = await work(session)
        if time.monotonic() >= until:
            raise _not_stored(deadline)
        await _commit(session, until - LOOK_UP_SHARE * deadline, deadline)
        return result
