"""`recallql serve` as a process of its own, as a user starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.driver import DRIVER
from tests.support.graphql_client import PLAIN
from tests.support.loop_watch import FILES

_WATCHED = str(Path(__file__).parent / "watched")

START_SECONDS = 60.0
"""Far above what a start takes, for machines with much else to do."""


class ServerProcess:
    """A running `recallql serve` on a port that it chose."""

    def __init__(self, data_dir: Path, *flags: str, **environment: str) -> None:
        self._log = data_dir.parent / f"{data_dir.name}.stderr"
        held = data_dir.parent / f"{data_dir.name}.held"
        log = self._log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "graph", "serve", "--port", "0", "--data-dir", str(data_dir), *flags],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**clean_environment(), **watched(held), **environment},
            cwd=data_dir.parent,
        )
        log.close()
        self.banner = ""
        self.url = self._read_url()

    def _read_url(self) -> str:
        assert self.process.stdout
        for line in self.process.stdout:
            self.banner += line
            if "Ctrl-C" in line and (found := re.search(r"GraphQL API\s+(http://\S+)/graphql", self.banner)):
                return found[1]
        raise AssertionError(f"serve ended: {self.stderr()}")

    def stderr(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    def graphql(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        body = {"query": query, "variables": variables}
        response = httpx.post(f"{self.url}/graphql", json=body, timeout=30, verify=PLAIN)
        answer = response.json()
        assert "errors" not in answer, answer
        return answer["data"]

    def children(self) -> list[psutil.Process]:
        """The processes that it started: mongod and the workers."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(START_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()
        return status


def watched(held: Path) -> dict[str, str]:
    """The environment in which a process, and those that it starts, write what held their event loops to a file.

    The test that runs then fails with what the file says.
    """
    FILES.add(held)
    return {"PYTHONPATH": _WATCHED, "LOOP_WATCH_FILE": str(held)}


def clean_environment() -> dict[str, str]:
    """The environment without settings of this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECALLQL_")}
    return {**kept, "RECALLQL_MONGODB_DRIVER": DRIVER}


@contextmanager
def served(data_dir: Path, *flags: str, **environment: str) -> Iterator[ServerProcess]:
    """A server for the length of a block."""
    server = ServerProcess(data_dir, *flags, **environment)
    children = server.children()
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
        if server.process.stdout:
            server.process.stdout.close()
        for child in psutil.wait_procs(children, timeout=20)[1]:
            child.kill()


def until(condition: Any, seconds: float = START_SECONDS) -> Any:
    """The first true value of a condition that is asked again and again."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
    return value
