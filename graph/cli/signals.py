"""How commands react to SIGINT and SIGTERM."""

from __future__ import annotations

import signal
import sys
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
