"""Opening the database as the settings say: the one way in which every command and server does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from graph.settings import Settings
from graph.store.database import Database, open_database


@asynccontextmanager
async def opened(settings: Settings, uri: str) -> AsyncIterator[Database]:
    """The open database for the length of a block.

    Args:
        settings: the database's name, the pool's size, and how long to wait for MongoDB and for other writers.
        uri: the MongoDB to use: where the settings name none, it is that of the own mongod.

    Raises:
        StartupError: MongoDB can't be reached, is too old, or is no replica set or sharded cluster.
    """
    database = await open_database(
        uri,
        name=settings.database,
        pool_size=settings.mongodb_pool_size,
        timeout=settings.mongodb_timeout,
        write_deadline=settings.write_deadline,
    )
    try:
        yield database
    finally:
        await database.close()
