"""`recallql worker`."""

from __future__ import annotations

from typing import Annotated

import typer

from graph.cli.options import with_worker_settings
from graph.cli.signals import leaving_at_once
from graph.settings import Settings

app = typer.Typer()


@app.command()
@with_worker_settings
def worker(
    settings: Settings,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")] = False,
    end_with_input: Annotated[
        bool, typer.Option("--end-with-input", hidden=True, help="End when standard input does, too.")
    ] = False,
) -> None:
    """Run one enrichment worker; any number may share a MongoDB."""
    from graph.runtime.worker import run

    with leaving_at_once():
        run(settings, quiet=quiet, end_with_input=end_with_input)
