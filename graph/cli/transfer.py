"""Files, progress bar and last line of the commands that export or import."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from graph.enrichment.tokens import load_counter
from graph.errors import TransferError
from graph.operations.opening import opened
from graph.runtime.deployment import mongodb
from graph.settings import Settings
from graph.transfer.import_ import Imported, Importer


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


def run_import(settings: Settings, source: IO[bytes], size: int | None, *, skip_existing: bool) -> Imported:
    """Store the records of a file, with a progress bar."""
    tokens = load_counter(settings.token_encoding)

    async def run(uri: str) -> Imported:
        async with opened(settings, uri) as database:
            with progress_bar("importing", size) as advance:
                return await Importer(
                    database,
                    tokens,
                    skip_existing=skip_existing,
                    window=settings.message_window,
                    report=lambda done: advance(done.bytes_read, done.messages),
                ).run(source)

    with mongodb(settings, attach=True) as uri:
        return asyncio.run(run(uri))


def report_import(done: Imported) -> None:
    """Print the numbers of an import."""
    present = f"; {done.present:,} sessions were stored already" if done.present else ""
    skipped = f"; {done.skipped:,} stored with other contents were left as they are" if done.skipped else ""
    items = f", with {done.items:,} items" if done.items else ""
    stored = f"imported {done.users:,} users, {done.sessions:,} sessions and {done.messages:,} messages{items}"
    say(f"{stored}{present}{skipped}")
