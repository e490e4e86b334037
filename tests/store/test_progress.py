"""How far the enrichment is, counted exactly, whatever happened to MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from graph.mongod.embedded import EmbeddedMongo
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database, open_database
from graph.store.jobs import progress
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from graph.store.transfer import documents as transfer
from tests.support.driver import DRIVER
from tests.support.untyped import untyped

SESSIONS, MESSAGES = 40, 25


async def fill(database: Database) -> None:
    for number in range(SESSIONS):
        if number == SESSIONS // 2:
            await database.client.admin.command("fsync")  # a checkpoint, which MongoDB's own counts are kept by
        messages = [NewMessage("human", f"text {place}", 3) for place in range(MESSAGES)]
        await add_memory(database, EVERYTHING, NewMemory(f"s{number}", messages))
    await database.messages.update_many({"seq": {"$gt": 5}}, {"$set": {"enrichment": {"state": "DONE"}}})
    await database.messages.update_many({"seq": 1}, {"$set": {"enrichment.state": "FAILED"}})


@asynccontextmanager
async def opened(uri: str) -> AsyncIterator[Database]:
    database = await open_database(uri, name="counts", driver_name=DRIVER)
    try:
        yield database
    finally:
        await database.close()


@pytest.mark.timeout(240)
async def test_counts_are_exact_after_mongodb_was_killed(tmp_path: Path) -> None:
    mongo = EmbeddedMongo(tmp_path)
    with mongo:
        async with opened(mongo.uri) as database:
            await fill(database)
        process = psutil.Process(mongo.pid)
        process.kill()
        process.wait(60)
    with mongo:
        async with opened(mongo.uri) as database:
            # The premise: MongoDB's own count has lost what came after the last checkpoint.
            assert await untyped(database, "messages").estimated_document_count() != SESSIONS * MESSAGES
            assert await untyped(database, "sessions").estimated_document_count() != SESSIONS
            found = await progress.progress(database)
            assert (found["done"], found["pending"], found["failed"]) == (SESSIONS * 20, SESSIONS * 4, SESSIONS)
            assert await transfer.count(database, {}) == SESSIONS
