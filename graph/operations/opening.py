"""Opening of the database by the settings, for every command and server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from graph.settings import Settings
from graph.store.database import Database, open_database


@asynccontextmanager
async def opened(settings: Settings, uri: str) -> AsyncIterator[Database]:
    """Open the database for the length of a block.

    Args:
        settings: the driver, the database's name, the pool's size, and the maximum waits for MongoDB and for other
            writers.
        uri: the connection string of MongoDB, from the settings or of the own mongod.

    Raises:
        StartupError: MongoDB can't be reached, is too old, or is neither a replica set nor a sharded cluster.
    """
    database = await open_database(
        uri,
        name=settings.database,
        pool_size=settings.mongodb_pool_size,
        timeout=settings.mongodb_timeout,
        write_deadline=settings.write_deadline,
        driver_name=settings.mongodb_driver,
        tombstones_kept=timedelta(days=settings.tombstone_days),
        retention=settings.retention,
        silence=settings.mongodb_silence,
        entity_tools=settings.entity_tools,
    )
    try:
        yield database
    finally:
        await database.close()
