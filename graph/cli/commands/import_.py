"""`recallql import`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from graph.cli.options import with_settings
from graph.cli.signals import interrupt_on_sigterm
from graph.settings import MongoDBSettings, Settings, TokenSettings

if TYPE_CHECKING:
    from graph.transfer.import_ import Imported

app = typer.Typer()

_STDIN = Path("-")


@app.command(name="import")
@with_settings(MongoDBSettings, TokenSettings)
def import_(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="The NDJSON file; - is standard input.")] = _STDIN,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip stored items with other contents, rather than stop.")
    ] = False,
) -> None:
    """Store the users and sessions of an export, or of a file written by hand.

    Items that are stored already are not stored again: an import that was stopped goes on when it is run again.
    """
    from graph.cli.transfer import file_errors, say

    interrupt_on_sigterm()
    with file_errors(file), _opened(file) as (source, size):
        done = _imported(settings, source, size, skip_existing=skip_existing)
    present = f"; {done.present:,} sessions were stored already" if done.present else ""
    skipped = f"; {done.skipped:,} stored with other contents were left as they are" if done.skipped else ""
    say(f"imported {done.users:,} users, {done.sessions:,} sessions and {done.messages:,} messages{present}{skipped}")


def _imported(settings: Settings, source: BinaryIO, size: int | None, *, skip_existing: bool) -> Imported:
    from graph.cli.transfer import progress_bar
    from graph.enrichment.tokens import load_counter
    from graph.operations.opening import opened
    from graph.runtime.deployment import mongodb
    from graph.transfer.import_ import Importer

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


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """The file, open for bytes, and its size where it has one."""
    if file == _STDIN:
        yield sys.stdin.buffer, None
        return
    with file.open("rb") as opened:
        yield opened, file.stat().st_size if file.is_file() else None
