"""`recallql export` and `recallql import` at work: files, progress bars and what is said at the end."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from graph.enrichment.tokens import load_counter
from graph.errors import TransferError
from graph.operations.opening import opened
from graph.runtime.deployment import mongodb
from graph.settings import Settings
from graph.store.transfer import documents as transfer
from graph.transfer.export import Exported, Resumed, Wanted, export, resumed
from graph.transfer.import_ import Imported, Importer
from graph.transfer.target import partial, regular, written_through, written_whole

STREAM = Path("-")


def run_export(settings: Settings, file: Path, wanted: Wanted, *, resume: bool) -> None:
    """Write an export to a file, or to standard output.

    A regular file has the name `<name>.partial` until it is whole, and is for its owner alone where it is new. What is
    no regular file (a FIFO, a device, `/dev/stdout`) is written through; links are followed.

    Raises:
        TransferError: the file can't be written, or there is nothing of that kind to export.
        StartupError: MongoDB can't be used.
        Unavailable: MongoDB does not answer.
    """
    if file == STREAM:
        if resume:
            raise TransferError("only an export to a file can be resumed")
        if sys.stdout.isatty():
            raise TransferError("an export is not for a terminal: name a file, or redirect standard output")
        with _file_errors(file):
            try:
                done = _exported(settings, wanted, sys.stdout.buffer)
            except BrokenPipeError:
                # Python would try to write the rest at its exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise
    else:
        with _file_errors(file):
            done = _exported_to(settings, wanted, file, resume=resume)
    _say(f"exported {done.users:,} users, {done.sessions:,} sessions and {done.messages:,} messages")


def _exported_to(settings: Settings, wanted: Wanted, file: Path, *, resume: bool) -> Exported:
    found = regular(file)
    if found is None:
        if resume:
            raise TransferError("only an export to a regular file can be resumed")
        with written_through(file) as target:
            return _exported(settings, wanted, target)
    beside = partial(found)
    earlier = resumed(beside, wanted) if resume and beside.exists() else None
    with written_whole(found, append=earlier is not None) as target:
        return _exported(settings, wanted, target, earlier=earlier)


def _exported(settings: Settings, wanted: Wanted, target: BinaryIO, *, earlier: Resumed | None = None) -> Exported:
    async def run(uri: str) -> Exported:
        async with opened(settings, uri) as database:
            total = await transfer.count(database, wanted.match)
            with _bar("exporting", total) as advance:

                def report(done: Exported) -> None:
                    advance(done.sessions, done.messages)

                return await export(database, wanted, target, resume=earlier, report=report)

    with mongodb(settings, attach=True) as uri:
        return asyncio.run(run(uri))


def run_import(settings: Settings, file: Path, *, skip_existing: bool) -> None:
    """Read an export, or a file written by hand, from a file or from standard input.

    Raises:
        TransferError: the file can't be read or is not as it must be, or what is stored differs from it.
        StartupError: MongoDB can't be used.
        Unavailable: MongoDB does not answer.
    """
    with _file_errors(file), _source(file) as (source, size):
        tokens = load_counter(settings.token_encoding)

        async def run(uri: str) -> Imported:
            async with opened(settings, uri) as database:
                with _bar("importing", size) as advance:
                    return await Importer(
                        database,
                        tokens,
                        skip_existing=skip_existing,
                        window=settings.message_window,
                        report=lambda done: advance(done.bytes_read, done.messages),
                    ).run(source)

        with mongodb(settings, attach=True) as uri:
            done = asyncio.run(run(uri))
    there = f"; {done.present:,} sessions were there already" if done.present else ""
    skipped = f"; {done.skipped:,} stored with other contents were left as they are" if done.skipped else ""
    _say(f"imported {done.users:,} users, {done.sessions:,} sessions and {done.messages:,} messages{there}{skipped}")


@contextmanager
def _source(file: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """The file, open for bytes, and its size where it has one."""
    if file == STREAM:
        yield sys.stdin.buffer, None
        return
    with file.open("rb") as opened:
        yield opened, file.stat().st_size if file.is_file() else None


@contextmanager
def _file_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TransferError(f"{file}: {error.strerror or error}") from error


@contextmanager
def _bar(doing: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn(doing),
        BarColumn(),
        TaskProgressColumn(show_speed=False),
        TextColumn("{task.fields[what]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=total, what="")
        began = time.monotonic()

        def advance(completed: int, messages: int) -> None:
            rate = messages / max(time.monotonic() - began, 0.001)
            bar.update(task, completed=completed, what=f"{messages:,} messages, {rate:,.0f}/s")

        yield advance


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
