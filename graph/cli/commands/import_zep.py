"""`recallql import-zep`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from graph.cli.options import given_text, with_settings
from graph.cli.signals import interrupt_on_sigterm
from graph.settings import LoggingSettings, MongoDBSettings, Settings, TokenSettings

if TYPE_CHECKING:
    import httpx

    from graph.zep.importer import Report

app = typer.Typer()

_TIMEOUT = 60.0  # seconds for one answer of the Zep server


@app.command("import-zep")
@with_settings(MongoDBSettings, TokenSettings, LoggingSettings)
def import_zep(
    settings: Settings,
    base_url: Annotated[str, typer.Argument(help="The Zep v1 server, such as http://localhost:8000.")],
    api_key: Annotated[
        str | None,
        typer.Option("--api-key", envvar="ZEP_API_KEY", help="Its bearer token, if it needs one.", callback=given_text),
    ] = None,
) -> None:
    """Import the users, sessions and messages of a Zep v1 server; run it again to continue after a break."""
    interrupt_on_sigterm()
    try:
        report = _imported(settings, base_url, api_key)
    except KeyboardInterrupt:
        typer.echo("Stopped: run it again to continue", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"Imported {_counts(report)}")
    for refused in report.refused:
        typer.echo(f"Not imported: {refused}", err=True)
    if report.refused:
        raise typer.Exit(1)


def _imported(settings: Settings, base_url: str, api_key: str | None) -> Report:
    from graph.outgoing import bearer, client_of, server_url
    from graph.runtime.deployment import mongodb
    from graph.runtime.logs import configure_logging

    configure_logging(settings)
    url = server_url(base_url, "the Zep server's address")
    url = url.copy_with(path=f"{url.path.rstrip('/')}/api/v1/")
    source = client_of(url, base_url=url, headers=bearer(api_key, "--api-key (ZEP_API_KEY)"), timeout=_TIMEOUT)
    with mongodb(settings, attach=True) as uri:
        return asyncio.run(_imported_from(source, settings, uri))


async def _imported_from(source: httpx.AsyncClient, settings: Settings, uri: str) -> Report:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from graph.enrichment.tokens import load_counter
    from graph.operations.backend import Backend
    from graph.operations.opening import opened
    from graph.zep.importer import Importer

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    async with opened(settings, uri) as database, source:
        backend = Backend(settings, database, load_counter(settings.token_encoding))
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("Reading")
            importer = Importer(backend, source, lambda report: progress.update(task, description=_counts(report)))
            return await importer.run()


def _counts(report: Report) -> str:
    return f"{report.users:,} users, {report.sessions:,} sessions, {report.messages:,} messages"
