"""Waits for MongoDB, and for the work of other tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_result,
    stop_before_delay,
    wait_exponential,
    wait_random_exponential,
)

from graph.errors import Unavailable
from graph.telemetry.steps import Kind, step

T = TypeVar("T")

logger = logging.getLogger(__name__)

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds between attempts
_SHORTEST_POLL, _LONGEST_POLL = 0.01, 0.25  # seconds between looks


def attempts(stop: asyncio.Event | None = None) -> AsyncRetrying:
    """Attempts at work, with growing pauses, while it raises `Unavailable`.

    Work that gives results on its way, as a generator does, is done in `async for attempt in ...: with attempt: ...`.

    Args:
        stop: ends the attempts, and the last `Unavailable` is raised.
    """
    return AsyncRetrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_random_exponential(multiplier=_SHORTEST_PAUSE, max=_LONGEST_PAUSE),
        stop=lambda _state: stop is not None and stop.is_set(),
        sleep=lambda seconds: asyncio.sleep(seconds) if stop is None else sleep(seconds, stop),
        before_sleep=_log,
        reraise=True,
    )


async def until_available(work: Callable[[], Awaitable[T]], stop: asyncio.Event | None = None) -> T:
    """Repeat work until MongoDB, or another server, answers, with growing pauses; return the result.

    Args:
        work: makes one attempt, which may repeat a part of the previous one. Errors other than `Unavailable` end the
            repetition.
        stop: ends the repetition.

    Raises:
        Unavailable: `stop` was set before an answer came.
    """

    async def attempt() -> T:  # tenacity awaits only the results of coroutine functions
        return await work()

    return await attempts(stop)(attempt)


async def until_zero(count: Callable[[], Awaitable[int]], *, seconds: float) -> None:
    """Repeat a count until it is 0, or for at most `seconds`."""
    looks = AsyncRetrying(
        retry=retry_if_result(bool),
        wait=wait_exponential(multiplier=_SHORTEST_POLL, exp_base=1.5, max=_LONGEST_POLL),
        stop=stop_before_delay(seconds),
        retry_error_callback=lambda _state: None,
    )

    async def look() -> int:
        return await count()

    await looks(look)


async def repeatedly(*works: tuple[str, Callable[[], Awaitable[object]]], pause: float) -> None:
    """Run functions in a loop until cancelled, with a pause after the last. Their errors are logged.

    Args:
        works: the functions, each with its name for the log.
        pause: seconds.
    """
    while True:
        for name, work in works:
            await once(name, work)
        await asyncio.sleep(pause)


async def once(name: str, work: Callable[[], Awaitable[object]]) -> None:
    """Do work that is done again later if it fails: an error is logged.

    Args:
        name: the name of the work in the log.
        work: makes one attempt.
    """
    try:
        await work()
    except Unavailable as error:
        logger.warning("%s: put off: %s", name, error)
    except Exception:  # the cause of any failure may pass
        logger.exception("%s: put off", name)


def observed(name: str, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """Return work that is observed as a job.

    Args:
        name: the name of the job.
        work: the work; its result is the number of its items, or else it has one item.
    """

    async def run() -> object:
        with step(Kind.JOB, name) as job:
            found = await work()
            job.note(items=found if isinstance(found, int) else 1)
            return found

    return run


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of work; None where `stop` is set before: the work is then cancelled, and its end waited for."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        ended = not working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    return working.result() if ended else None


async def sleep(seconds: float, stop: asyncio.Event) -> None:
    """Sleep, or until `stop` is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):  # `wait_for` of Python 3.11 loses cancellations
            await stop.wait()


async def sleep_until_any(*events: asyncio.Event, seconds: float) -> None:
    """Sleep, or until one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _log(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        logger.warning("waiting to try again: %s", state.outcome.exception())
