"""The writes of the log, on a thread: who reads standard error, such as a pipe, may stop, and nothing waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, TextIO

MOST_CHARACTERS: Final = 4_194_304
"""Characters that wait to be written at most; further lines are dropped and counted."""
_MOST_AT_ONCE = 1000  # lines
_PAUSE = 0.005  # seconds between writes, so that a busy process writes many lines at once
_LAST_SECONDS = 2.0
"""Maximum seconds for the last lines at the end of a process."""


class Writer:
    """Writes lines in the order in which they come.

    Args:
        stream: where they are written, by no one else.
        missing: makes the line that says how many were dropped.
        most: maximum characters that wait.
    """

    def __init__(self, stream: TextIO, missing: Callable[[int], str], most: int = MOST_CHARACTERS) -> None:
        self._stream = stream
        self._missing = missing
        self._most = most
        self._waiting = self._dropped = 0
        self._lock = threading.RLock()  # a handler of a signal may log as well
        self._lines: SimpleQueue[str | threading.Event] = SimpleQueue()
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, line: str) -> None:
        """Have a line written, its end included; returns at once."""
        with self._lock:
            if self._waiting + len(line) > self._most:
                self._dropped += 1
                return
            self._waiting += len(line)
            self._lines.put(line)

    def flush(self) -> None:
        """Wait until all lines are written, for a bounded time."""
        written = threading.Event()
        self._lines.put(written)
        written.wait(_LAST_SECONDS)

    def _run(self) -> None:
        while True:
            taken = [self._lines.get()]
            with suppress(Empty):
                while len(taken) < _MOST_AT_ONCE:
                    taken.append(self._lines.get_nowait())
            text = "".join([line for line in taken if isinstance(line, str)])
            self._write(text)
            with self._lock:
                self._waiting -= len(text)
                dropped, self._dropped = self._dropped, 0
            if dropped:
                self._write(self._missing(dropped))
            for line in taken:
                if isinstance(line, threading.Event):
                    line.set()
            time.sleep(_PAUSE)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads the log any more
            self._stream.write(text)
            self._stream.flush()


class Handler(logging.Handler):
    """Writes records by a writer.

    Args:
        writer: writes their lines.
    """

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Have the line of a record written."""
        try:
            self._writer.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - as the handlers of `logging` do
            self.handleError(record)

    def flush(self) -> None:
        """Wait for the lines, as `logging` does at the end of the process."""
        self._writer.flush()
