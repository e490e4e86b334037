"""`recallql serve`."""

from __future__ import annotations

import typer

from graph.cli.options import with_settings
from graph.cli.signals import exit_on_signals
from graph.settings import Settings

app = typer.Typer()


@app.command()
@with_settings(Settings)
def serve(settings: Settings) -> None:
    """Serve the GraphQL API and the explorer, with an enrichment worker; alone, a whole system on one machine."""
    from graph.runtime.serve import serve as run

    exit_on_signals()
    run(settings)
