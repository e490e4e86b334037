"""`recallql enrich`."""

from __future__ import annotations

from typing import Annotated

import typer

from graph.cli.options import given_text, with_worker_settings
from graph.settings import Settings

app = typer.Typer()


@app.command()
@with_worker_settings
def enrich(
    settings: Settings,
    failed: Annotated[bool, typer.Option("--failed", help="Retry failed enrichment.")] = False,
    session: Annotated[str | None, typer.Option("--session", help="Only this session.", callback=given_text)] = None,
) -> None:
    """Work until no enrichment is pending, then end; exit status 1 when some has failed or no model embeds."""
    from graph.runtime.worker import drain

    if drain(settings, failed=failed, session_id=session):
        raise typer.Exit(1)
