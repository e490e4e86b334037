"""The watch of the event loop, which every test runs under, sees what it is for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.support.loop_watch import FILES, LIMIT, WATCH
from tests.support.paths import ROOT

SERVICE = """
async def hold(work):
    await asyncio.sleep(0)
    work()
"""


def hold(work: Callable[[], None]) -> Coroutine[Any, Any, None]:
    """A coroutine of another file than a test's."""
    names: dict[str, Any] = {"asyncio": asyncio}
    exec(compile(SERVICE, "service.py", "exec"), names)  # noqa: S102 - this text
    coroutine: Coroutine[Any, Any, None] = names["hold"](work)
    return coroutine


def spin() -> None:
    until = time.thread_time() + 2 * LIMIT
    while time.thread_time() < until:
        pass


async def test_a_task_that_holds_the_loop_is_seen() -> None:
    await asyncio.create_task(hold(spin))
    (held,) = WATCH.take()
    assert held.startswith("hold at ")


async def test_a_callback_that_holds_the_loop_is_seen() -> None:
    asyncio.get_running_loop().call_soon(spin)
    await asyncio.sleep(0.001)
    (held,) = WATCH.take()
    assert "spin" in held


@pytest.mark.parametrize("work", [lambda: time.sleep(2 * LIMIT), lambda: None])
async def test_a_task_that_waits_holds_nothing_in_processor_time(work: Callable[[], None]) -> None:
    await asyncio.create_task(hold(work))
    assert WATCH.take() == []


async def test_a_test_s_own_work_is_no_fault_of_the_service() -> None:
    async def own() -> None:
        spin()

    await asyncio.create_task(own())
    spin()
    await asyncio.sleep(0)
    assert WATCH.take() == []


HOLDING = """
import asyncio, sys, time
from pathlib import Path
sys.path[0] = sys.argv[1]
from tests.support.loop_watch import LIMIT, LoopWatch
LoopWatch(Path(sys.argv[2])).install()

async def hold():
    until = time.thread_time() + 2 * LIMIT
    while time.thread_time() < until:
        pass

asyncio.run(hold())
"""


def test_a_process_that_a_test_starts_says_what_held_its_loop(tmp_path: Path) -> None:
    file = tmp_path / "child.held"
    FILES.add(file)
    try:
        subprocess.run([sys.executable, "-c", HOLDING, str(ROOT), str(file)], check=True)
        (held,) = WATCH.take()
        assert held.startswith("hold at ")
        assert WATCH.take() == []
    finally:
        FILES.discard(file)
