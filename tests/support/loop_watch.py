"""Watches the event loop for callbacks that hold it."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_REFERENCE = 0.0055
"""Seconds that `_work` takes on the machine whose seconds count."""


def _work() -> float:
    """The processor time of a fixed piece of work."""
    began = time.thread_time()
    total = 0
    for number in range(200_000):
        total += number % 7
    return time.thread_time() - began


def slowness() -> float:
    """How many times as long the processor takes now, at least 1."""
    return max(1.0, min(_work() for _ in range(9)) / _REFERENCE)


def _limit() -> float:
    """Seconds of the loop's thread: its own processor time, longer while the processor is slower."""
    return 0.05 * slowness()


LIMIT = _limit()

_OWN = str(Path(__file__).parents[1])
_OF_TOOLS = ("/_pytest/", "/pytest_asyncio/", "/hypothesis/", "/pluggy/", "/playwright/")
_OF_TESTS = (_OWN, *_OF_TOOLS)
_AT_START = {"LifespanOn.main", "_Server.serve", "Server.serve"}
"""Coroutines that build what a process needs before it answers anything."""


class LoopWatch:
    """Wraps each callback of every event loop of this process.

    Args:
        file: where a process that tests start says what held its loop, a line each.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._held: list[str] = []
        self._collected = 0.0
        self._began = 0.0

    def install(self) -> None:
        """Begin to watch, for the rest of the process."""
        original = asyncio.Handle._run

        def run(handle: asyncio.Handle) -> None:
            collected, before = self._collected, time.thread_time()
            original(handle)
            seconds = time.thread_time() - before - (self._collected - collected)
            # Other processes may slow the processor down by now.
            if seconds > LIMIT and seconds > _limit() and (name := _name_of_watched(handle)) is not None:
                self._note(f"{name}: {seconds:.3f} s")

        asyncio.Handle._run = run  # type: ignore[assignment,method-assign]
        gc.callbacks.append(self._on_collection)

    def take(self) -> list[str]:
        """What held a loop of this process since this was last asked."""
        held, self._held = self._held, []
        return held

    def _note(self, held: str) -> None:
        if self._file is None:
            self._held.append(held)
            return
        # A test may have filled the disk: the watch does not end the service.
        with suppress(OSError), self._file.open("a", encoding="utf-8") as file:
            file.write(f"{held}\n")

    def _on_collection(self, phase: str, _: dict[str, int]) -> None:
        """The collector looks through all that the tests keep, which no service has."""
        if phase == "start":
            self._began = time.thread_time()
        else:
            self._collected += time.thread_time() - self._began


def _name_of_watched(handle: asyncio.Handle) -> str | None:
    """What a callback is, unless it is a test's own or part of a start."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    owner = getattr(callback, "__self__", None)
    if not isinstance(owner, asyncio.Task):
        code = getattr(callback, "__code__", None)
        return None if code is not None and any(part in code.co_filename for part in _OF_TOOLS) else repr(callback)
    coroutine: Any = owner.get_coro()
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    if code is None or coroutine.__qualname__ in _AT_START or any(part in code.co_filename for part in _OF_TESTS):
        return None
    return f"{coroutine.__qualname__} at {_innermost(coroutine)}"


def _innermost(coroutine: Any) -> str:
    """Where a coroutine waits after it has held the loop: near the place that did."""
    while getattr(coroutine, "cr_await", None) is not None and hasattr(coroutine.cr_await, "cr_frame"):
        coroutine = coroutine.cr_await
    frame = getattr(coroutine, "cr_frame", None)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "its end"


FILES: set[Path] = set()
"""What the servers and workers say that tests of this process start."""


def taken_from_files() -> list[str]:
    """What held a loop of the processes that write into `FILES` since this was last asked."""
    held = []
    for file in FILES:
        if file.exists():
            held += file.read_text(encoding="utf-8").splitlines()
            file.unlink()
    return held


WATCH = LoopWatch()
