"""Work in a process of its own that is killed in the middle."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from typing import Any

_MARK = b"batch\n"
_WAIT_SECONDS = 60


def stopping_after(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return a step of some work that prints `batch` when it has run, and then waits for the kill."""

    async def stopped(*arguments: Any) -> Any:
        await step(*arguments)
        print("batch", flush=True)
        await asyncio.sleep(_WAIT_SECONDS)

    return stopped


def run_and_kill(script: str, *arguments: str) -> None:
    """Run a Python script, and kill its process when it prints `batch` for the first time."""
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == _MARK
        process.send_signal(signal.SIGKILL)
        process.wait()
