"""Waiting for MongoDB."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from graph.errors import Unavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds


async def until_available(work: Callable[[], Awaitable[T]]) -> T:
    """Repeat work that changes nothing until MongoDB answers, with growing pauses; return the result.

    Args:
        work: makes one attempt. Errors other than `Unavailable` end the repetition.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_random_exponential(multiplier=_SHORTEST_PAUSE, max=_LONGEST_PAUSE),
        before_sleep=_log,
    )

    async def attempt() -> T:  # tenacity awaits only the results of coroutine functions
        return await work()

    return await retrying(attempt)


def _log(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        logger.warning("waiting for MongoDB: %s", state.outcome.exception())
