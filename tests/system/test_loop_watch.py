"""The watch of the event loop, which every test runs under, sees what it is for."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.support.loop_watch import FILES, LIMIT, WATCH, taken_from_files
from tests.support.paths import ROOT
from tests.support.server_process import watched

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
import asyncio, time
from tests.support.loop_watch import LIMIT

async def hold():
    until = time.thread_time() + 2 * LIMIT
    while time.thread_time() < until:
        pass

asyncio.run(hold())
"""
STARTING = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], check=True)"


@pytest.mark.parametrize("kind", ["serve", "web", "worker"])
def test_a_process_that_a_server_starts_says_what_held_its_loop(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "child.held"
    try:
        command = [sys.executable, "-c", STARTING, "-c", HOLDING, kind]
        subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, **watched(file)})
        held = taken_from_files()
        assert [line.split()[0] for line in held] == ["hold"]
        assert taken_from_files() == []
    finally:
        FILES.discard(file)
