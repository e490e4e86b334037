"""A backend on a database of its own, for tests that run an event loop by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from graph.enrichment.tokens import load_counter
from graph.operations.backend import Backend
from graph.settings import Settings
from graph.store.database import open_database
from tests.support.databases import new_name


@contextmanager
def backend_on(runner: asyncio.Runner, uri: str, directory: Path, **options: Any) -> Iterator[Backend]:
    """A backend for the length of a block, with settings that are not validated; its database is dropped then."""
    opening = _opened(uri, Settings.model_construct(database=new_name(), data_dir=directory, **options))
    backend = runner.run(opening.__aenter__())
    try:
        yield backend
    finally:
        runner.run(opening.__aexit__(None, None, None))


@asynccontextmanager
async def _opened(uri: str, settings: Settings) -> AsyncIterator[Backend]:
    database = await open_database(uri, name=settings.database)
    try:
        yield Backend(settings, database, load_counter(settings.token_encoding))
    finally:
        await database.client.drop_database(settings.database)
        await database.close()
