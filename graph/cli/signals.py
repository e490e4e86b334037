"""Reactions of commands to SIGINT and SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


def exit_on_signals() -> None:
    """Make SIGINT and SIGTERM unwind the stack with status 0, so that everything that was started is stopped."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)


def interrupt_on_sigterm() -> None:
    """Handle SIGTERM as SIGINT: started processes stop, and the exit status says that the work is incomplete."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """End the process after the block, without the interpreter's own end; an error passes unchanged.

    That end waits half a second for the driver's threads, and takes a quarter more to free spaCy, while a server that
    stops waits for its workers.
    """
    status: object = None
    try:
        yield
    except SystemExit as leaving:
        status = leaving.code
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)
