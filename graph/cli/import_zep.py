"""`recallql import-zep`: an import from a Zep v1 server, with its progress shown."""

from __future__ import annotations

import asyncio

import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from graph.enrichment.tokens import load_counter
from graph.operations.backend import Backend
from graph.operations.opening import opened
from graph.outgoing import bearer, client_of, server_url
from graph.runtime.deployment import mongodb
from graph.runtime.logs import configure_logging
from graph.settings import Settings
from graph.zep.importer import Importer, Report

_TIMEOUT = 60.0  # seconds for one answer of the Zep server


def run(settings: Settings, base_url: str, api_key: str | None) -> Report:
    """Import everything that a Zep server has.

    Args:
        settings: where to write.
        base_url: the server, such as `http://localhost:8000`.
        api_key: what it accepts as bearer token, if it needs one.

    Raises:
        TransferError: it can't be read.
        StartupError: its address, its key, a proxy or MongoDB can't be used.
    """
    configure_logging(settings)
    url = server_url(base_url, "the Zep server's address")
    url = url.copy_with(path=f"{url.path.rstrip('/')}/api/v1/")
    source = client_of(url, base_url=url, headers=bearer(api_key, "--api-key (ZEP_API_KEY)"), timeout=_TIMEOUT)
    with mongodb(settings, attach=True) as uri:
        return asyncio.run(_run(settings, uri, source))


async def _run(settings: Settings, uri: str, source: httpx.AsyncClient) -> Report:
    async with opened(settings, uri) as database, source:
        backend = Backend(settings, database, load_counter(settings.token_encoding))
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True)
        ) as progress:
            task = progress.add_task("Reading")
            importer = Importer(backend, source, lambda report: progress.update(task, description=said(report)))
            return await importer.run()


def said(report: Report) -> str:
    """How far an import is."""
    return f"{report.users:,} users, {report.sessions:,} sessions, {report.messages:,} messages"
