"""The processes that `recallql serve` supervises: enrichment workers and further web servers."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from graph.errors import StartupError, named_thread_limit
from graph.settings import PREFIX, SECRETS, Settings, variable
from graph.telemetry.exposition import forget_process

logger = logging.getLogger(__name__)

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds between restarts
_STEADY_AFTER = 60.0  # seconds after which a worker counts as running well
_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_WORKER = ("worker", "--quiet", "--end-with-input")


class Children:
    """Child processes of one kind, each restarted with backoff when it ends.

    A child's standard input is a pipe from this process: it ends when the pipe closes, so none outlives a killed
    server.
    """

    def __init__(
        self, settings: Settings, uri: str, name: str, *command: str, count: int, shared: Sequence[int] = ()
    ) -> None:
        """Children that run `recallql COMMAND`.

        Args:
            settings: this process's, which the children get too.
            uri: the MongoDB to use.
            name: the name of one in the log.
            command: the command and its flags.
            count: how many.
            shared: file descriptors that they inherit.
        """
        self._environment = {**os.environ, **_as_environment(settings), f"{PREFIX}MONGODB_URI": uri}
        self._name = name
        self._command = [sys.executable, "-m", "graph", *command]
        self._shared = tuple(shared)
        self._stop_seconds = settings.drain + _STOP_SECONDS
        self._threads = [
            threading.Thread(target=self._keep_running, name=f"{command[0]}-{number}", daemon=True)
            for number in range(1, count + 1)
        ]
        self._stopping = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Start the children.

        Raises:
            StartupError: the system refuses a thread for one of them; those that were started are ended.
        """
        try:
            with named_thread_limit():
                for thread in self._threads:
                    thread.start()
        except StartupError:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def stop(self) -> None:
        """Have the children end; returns at once, and the block's end waits for them."""
        with self._lock:
            if self._stopping.is_set():
                return
            self._stopping.set()
            for process in self._running:
                process.terminate()
        if self._threads:
            logger.debug("%s: to end", self._name)

    def _end(self) -> None:
        self.stop()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _keep_running(self) -> None:
        pause = _SHORTEST_PAUSE
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                ended = f"ended with status {self._run_once()}"
            except OSError as error:  # for now there is no memory, process or file descriptor left for it
                ended = f"can't be started ({error.strerror})"
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _STEADY_AFTER:
                pause = _SHORTEST_PAUSE
            logger.warning("%s %s; starting another in %.1f seconds", self._name, ended, pause)
            self._stopping.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _run_once(self) -> int:
        with self._lock:
            if self._stopping.is_set():
                return 0
            process = subprocess.Popen(  # noqa: S603 - this program, with its own flags
                self._command,
                stdin=subprocess.PIPE,
                env=self._environment,
                pass_fds=self._shared,
                start_new_session=True,  # Ctrl-C is for the server, which then stops its children
            )
            self._running.add(process)
        try:
            patience = self._stop_seconds
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
            forget_process(process.pid)
            if process.stdin:
                process.stdin.close()


def workers(settings: Settings, uri: str) -> Children:
    """The enrichment workers."""
    return Children(settings, uri, "an enrichment worker", *_WORKER, count=settings.enrichment_processes)


def web_processes(settings: Settings, uri: str, listener: socket.socket) -> Children:
    """Run the further web servers, which accept connections from this process's socket."""
    number = listener.fileno()
    return Children(
        settings,
        uri,
        "a web process",
        "web",
        "--socket",
        str(number),
        count=settings.web_processes - 1,
        shared=[number],
    )


def _as_environment(settings: Settings) -> dict[str, str]:
    """The settings that were given, as a child's environment: flags reach it that way."""
    values = settings.model_dump(exclude_unset=True, exclude={"mongodb_uri"}, mode="json")
    # A dump hides secrets.
    secrets = {name: getattr(settings, name) for name in values}
    values |= {name: value.get_secret_value() for name, value in secrets.items() if isinstance(value, SecretStr)}
    given = {f"{PREFIX}{name.upper()}": _as_text(value) for name, value in values.items() if value is not None}
    return dict.fromkeys(map(variable, SECRETS), "") | given  # the secrets of files are in the settings by now


def _as_text(value: object) -> str:
    """A setting's value as `Settings` reads it from the environment."""
    if isinstance(value, dict):
        return json.dumps(value)
    # An empty variable would be as one that is not set.
    return ",".join(value) or "," if isinstance(value, list) else str(value)
