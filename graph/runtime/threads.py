"""The threads that `recallql serve` needs, asked of the system before anything runs."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graph.errors import MORE_THREADS, StartupError, named_thread_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graph.settings import Settings

_OF_MONGOD = 96
"""Threads of the own mongod without load: about 60, and one for each connection."""
_OF_PROCESS = 16
"""Threads of each process of RecallQL, without load."""
_STACK_BYTES = 65_536  # of a thread that only waits


def check_threads(settings: Settings) -> None:
    """Refuse to start where the system allows fewer threads than the processes of a server need.

    Without the check, a process that is refused a thread later fails at any place: mongod ends, and the driver of
    MongoDB writes tracebacks.

    Raises:
        StartupError: the system refuses a thread.
    """
    count = threads_needed(settings)
    try:
        with named_thread_limit(), _small_stacks():
            _start_together(count)
    except StartupError:
        message = f"the system refused another thread: {MORE_THREADS}, so that {count} more threads can run"
        raise StartupError(message) from None


def threads_needed(settings: Settings) -> int:
    """Return the threads that all processes of a server have without load, with the own mongod if it is used."""
    processes = settings.web_processes + settings.enrichment_processes
    return processes * _OF_PROCESS + (_OF_MONGOD if settings.mongodb_uri is None else 0)


def _start_together(count: int) -> None:
    """Start this number of threads, and end them when the last one runs or is refused."""
    release = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(count):
            thread = threading.Thread(target=release.wait, daemon=True)
            thread.start()
            started.append(thread)
    finally:
        release.set()
        for thread in started:
            thread.join()


@contextmanager
def _small_stacks() -> Iterator[None]:
    """Give threads within the block small stacks, so that a limit of memory does not refuse them."""
    before = threading.stack_size(_STACK_BYTES)
    try:
        yield
    finally:
        threading.stack_size(before)
