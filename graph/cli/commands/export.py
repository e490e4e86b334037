"""`recallql export`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from graph.cli.options import given_text, with_settings
from graph.cli.signals import interrupt_on_sigterm
from graph.errors import TransferError
from graph.settings import MongoDBSettings, Settings

if TYPE_CHECKING:
    from graph.transfer.export import Exported, ExportSelection, Resumed

app = typer.Typer()

_STDOUT = Path("-")


@app.command()
@with_settings(MongoDBSettings)
def export(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="The file to write; - is standard output.")] = _STDOUT,
    session: Annotated[
        str | None, typer.Option("--session", help="Only this session and its user.", callback=given_text)
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Only this user and its sessions.", callback=given_text)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an export to the same file that was stopped.")
    ] = False,
) -> None:
    """Write users and sessions, with all that belongs to them, as NDJSON; a server may run meanwhile."""
    from graph.cli.transfer import file_errors, say
    from graph.transfer.export import ExportSelection

    interrupt_on_sigterm()
    write = _to_stdout if file == _STDOUT else _to_file
    with file_errors(file):
        done = write(settings, ExportSelection(session, user), file, resume=resume)
    items = f", with {done.items:,} items" if done.items else ""
    say(f"exported {done.users:,} users, {done.sessions:,} sessions and {done.messages:,} messages{items}")


def _to_stdout(settings: Settings, selection: ExportSelection, _file: Path, *, resume: bool) -> Exported:
    if resume:
        raise TransferError("only an export to a file can be resumed")
    if sys.stdout.isatty():
        raise TransferError("an export is not for a terminal: name a file, or redirect standard output")
    try:
        return _exported(settings, selection, sys.stdout.buffer)
    except BrokenPipeError:
        # Python would try to write the rest at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _to_file(settings: Settings, selection: ExportSelection, file: Path, *, resume: bool) -> Exported:
    """Write an export to a file; links are followed.

    A regular file has the name `<name>.partial` until it is whole, and is for its owner alone where it is new. Other
    files (a FIFO, a device, `/dev/stdout`) are written through.
    """
    from graph.transfer.export import resumed
    from graph.transfer.target import partial, regular, written_through, written_whole

    found = regular(file)
    if found is None:
        if resume:
            raise TransferError("only an export to a regular file can be resumed")
        with written_through(file) as target:
            return _exported(settings, selection, target)
    unfinished = partial(found)
    earlier = resumed(unfinished, selection) if resume and unfinished.exists() else None
    with written_whole(found, append=earlier is not None) as target:
        return _exported(settings, selection, target, earlier=earlier)


def _exported(
    settings: Settings, selection: ExportSelection, target: BinaryIO, *, earlier: Resumed | None = None
) -> Exported:
    from graph.cli.transfer import progress_bar
    from graph.operations.opening import opened
    from graph.runtime.deployment import mongodb
    from graph.store.transfer import documents
    from graph.transfer.export import export as write

    async def run(uri: str) -> Exported:
        async with opened(settings, uri) as database:
            total = await documents.count(database, selection.match)
            with progress_bar("exporting", total) as advance:

                def report(done: Exported) -> None:
                    advance(done.sessions, done.messages)

                return await write(database, selection, target, resume=earlier, report=report)

    with mongodb(settings, attach=True) as uri:
        return asyncio.run(run(uri))
