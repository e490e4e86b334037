"""Work that would hold the event loop: on a thread beside it, or in turns with what else waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREAD = ThreadPoolExecutor(1, thread_name_prefix="recallql-beside")
"""One for the process: with more, the event loop would wait for each of them whenever it needs the interpreter."""

_TURN = 0.01
"""Seconds after which work in turns lets others run."""


async def beside(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """The result of a function that runs on the thread, after what was given to it before.

    The interpreter changes threads between two instructions of Python, so the function must not spend more than some
    milliseconds in one call of compiled code.
    """
    return await asyncio.get_running_loop().run_in_executor(_THREAD, partial(work, *given, **named))


class Turns:
    """Lets others run while a coroutine works for long."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def take(self) -> None:
        """Let others run, if the turn has been long."""
        if time.perf_counter() - self._since > _TURN:
            await asyncio.sleep(0)
            self._since = time.perf_counter()
