"""`recallql import`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from graph.cli.options import with_settings
from graph.cli.signals import interrupt_on_sigterm
from graph.settings import MongoDBSettings, Settings, TokenSettings

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
    from graph.cli.transfer import file_errors, report_import, run_import

    interrupt_on_sigterm()
    with file_errors(file), _opened(file) as (source, size):
        done = run_import(settings, source, size, skip_existing=skip_existing)
    report_import(done)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """The file, open for bytes, and its size where it has one."""
    if file == _STDIN:
        yield sys.stdin.buffer, None
        return
    with file.open("rb") as opened:
        yield opened, file.stat().st_size if file.is_file() else None
