"""`recallql web`, which `recallql serve --web-processes` starts."""

from __future__ import annotations

from typing import Annotated

import typer

from graph.cli.options import with_settings
from graph.cli.signals import exit_on_signals, leaving_at_once
from graph.settings import Settings

app = typer.Typer()


@app.command(hidden=True)
@with_settings()
def web(
    settings: Settings,
    socket: Annotated[int, typer.Option("--socket", help="File descriptor of the listening socket.")],
) -> None:
    """Serve as a further web process."""
    from graph.runtime.serve import serve_on_socket

    exit_on_signals()
    with leaving_at_once():
        serve_on_socket(settings, socket)
