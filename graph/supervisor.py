"""The worker processes that `recallql serve` keeps running."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from graph.settings import PREFIX, Settings

log = logging.getLogger("recallql")

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds between restarts
_STEADY_AFTER = 60.0  # seconds after which a worker counts as running well
_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.5


class Workers:
    """Enrichment workers as child processes, each restarted with backoff when it ends.

    A worker's standard input is a pipe from this process: it ends when the pipe closes, so none outlives a killed
    server.
    """

    def __init__(self, settings: Settings, uri: str) -> None:
        self._environment = {**os.environ, **_as_environment(settings), f"{PREFIX}MONGODB_URI": uri}
        self._threads = [
            threading.Thread(target=self._keep_running, name=f"worker-{number}", daemon=True)
            for number in range(1, settings.worker_processes + 1)
        ]
        self._stopping = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        with self._lock:
            for process in self._running:
                process.terminate()
        for thread in self._threads:
            thread.join()

    def _keep_running(self) -> None:
        pause = _SHORTEST_PAUSE
        while not self._stopping.is_set():
            started = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _STEADY_AFTER:
                pause = _SHORTEST_PAUSE
            log.warning("an enrichment worker ended with status %s; starting another in %.1f seconds", code, pause)
            self._stopping.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _run_once(self) -> int:
        with self._lock:
            if self._stopping.is_set():
                return 0
            process = subprocess.Popen(
                [sys.executable, "-m", "graph", "worker", "--quiet"],
                stdin=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the server, which then stops the workers
            )
            self._running.add(process)
        try:
            patience = _STOP_SECONDS
            while True:
                try:
                    return process.wait(_LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    if self._stopping.is_set():
                        patience -= _LOOK_SECONDS
                    if patience <= 0:
                        process.kill()
        finally:
            with self._lock:
                self._running.discard(process)
            if process.stdin:
                process.stdin.close()


def _as_environment(settings: Settings) -> dict[str, str]:
    """The settings that were given, as the worker's environment: flags reach it that way."""
    given = settings.model_dump(exclude_unset=True, exclude={"mongodb_uri"}, mode="json")
    # A dump hides what is secret.
    secrets = {name: getattr(settings, name) for name in given}
    given |= {name: value.get_secret_value() for name, value in secrets.items() if isinstance(value, SecretStr)}
    return {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items() if value is not None}
