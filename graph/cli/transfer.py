"""Files, progress bar and last line of the commands that export or import."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from graph.errors import TransferError


@contextmanager
def file_errors(file: Path) -> Iterator[None]:
    """Report the errors of the operating system as errors of this file."""
    try:
        yield
    except OSError as error:
        raise TransferError(f"{file}: {error.strerror or error}") from error


@contextmanager
def progress_bar(doing: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn(doing),
        BarColumn(),
        TaskProgressColumn(show_speed=False),
        TextColumn("{task.fields[speed_of_messages]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=total, speed_of_messages="")
        began = time.monotonic()

        def advance(completed: int, messages: int) -> None:
            rate = messages / max(time.monotonic() - began, 0.001)
            bar.update(task, completed=completed, speed_of_messages=f"{messages:,} messages, {rate:,.0f}/s")

        yield advance


def say(text: str) -> None:
    """Print a line to standard error."""
    sys.stderr.write(f"{text}\n")
