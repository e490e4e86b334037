"""`recallql import-zep`: an import from a Zep v1 server, with its progress shown."""

from __future__ import annotations

import asyncio

import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from graph.deployment import mongodb
from graph.enrichment.tokens import load_counter
from graph.errors import StartupError
from graph.logs import configure_logging
from graph.operations.backend import Backend
from graph.settings import Settings
from graph.store.database import open_database
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
        StartupError: its address is none, or MongoDB can't be used.
    """
    configure_logging(settings)
    with mongodb(settings, attach=True) as uri:
        return asyncio.run(_run(settings, uri, base_url, api_key))


async def _run(settings: Settings, uri: str, base_url: str, api_key: str | None) -> Report:
    database = await open_database(
        uri,
        name=settings.database,
        pool_size=settings.mongodb_pool_size,
        timeout=settings.mongodb_timeout,
        write_deadline=settings.write_deadline,
    )
    try:
        backend = Backend(settings, database, load_counter(settings.token_encoding))
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        async with _client(base_url, headers) as source:
            with Progress(
                SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True)
            ) as progress:
                task = progress.add_task("Reading")
                importer = Importer(backend, source, lambda report: progress.update(task, description=said(report)))
                return await importer.run()
    finally:
        await database.close()


def _client(base_url: str, headers: dict[str, str]) -> httpx.AsyncClient:
    try:
        return httpx.AsyncClient(base_url=f"{base_url.rstrip('/')}/api/v1/", headers=headers, timeout=_TIMEOUT)
    except httpx.InvalidURL as error:
        message = f"{base_url} is not the address of a server: {error}"
        raise StartupError(message) from None


def said(report: Report) -> str:
    """How far an import is."""
    return f"{report.users:,} users, {report.sessions:,} sessions, {report.messages:,} messages"
