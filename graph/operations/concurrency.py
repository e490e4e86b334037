"""Long computations that must not block the event loop: on a thread, or in a coroutine that yields."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREAD = ThreadPoolExecutor(1, thread_name_prefix="recallql-thread")
"""One thread for the process: with more, the event loop would wait for each of them to release the interpreter lock."""

_INTERVAL = 0.01
"""Seconds after which a long coroutine yields to the event loop."""


async def run_on_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function on the thread, after the functions that were queued before; return its result.

    The interpreter switches threads between two instructions of Python, so one call of compiled code in the function
    must not take longer than a few milliseconds.
    """
    return await asyncio.get_running_loop().run_in_executor(_THREAD, partial(function, *args, **kwargs))


class Yielder:
    """Lets other tasks run while a coroutine computes for long."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def yield_if_due(self) -> None:
        """Let other tasks run, if the last time was more than `_INTERVAL` ago."""
        if time.perf_counter() - self._since > _INTERVAL:
            await asyncio.sleep(0)
            self._since = time.perf_counter()
