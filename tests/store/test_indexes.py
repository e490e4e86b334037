"""Making collections and indexes, by several processes at once."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from graph.store import database as opening
from graph.store.database import Database, open_database
from graph.store.indexes import INDEXES, RETIRED, ensure_indexes
from tests.support.driver import DRIVER
from tests.support.untyped import untyped

AT_ONCE = 12
ROUNDS = 4


async def test_processes_that_start_at_once_on_an_empty_mongodb_all_start(mongodb_uri: str) -> None:
    for _ in range(ROUNDS):
        name = f"test_{uuid.uuid4().hex}"
        opened = await asyncio.gather(
            *(open_database(mongodb_uri, name=name, driver_name=DRIVER) for _ in range(AT_ONCE)), return_exceptions=True
        )
        databases = [each for each in opened if isinstance(each, Database)]
        try:
            assert [str(each) for each in opened if isinstance(each, BaseException)] == []
            mongo = databases[0].client[name]
            for collection, models in INDEXES.items():
                there = set(await mongo[collection].index_information())
                assert {model.document["name"] for model in models} <= there, collection
        finally:
            await databases[0].client.drop_database(name)
            for database in databases:
                await database.close()


async def test_the_text_indexes_of_earlier_versions_are_dropped(mongodb_uri: str, database: Database) -> None:
    mongo = database.client[database.name]
    for collection in RETIRED:
        await mongo[collection].create_index([("sessionId", 1), ("content", "text")], name="words")
    opened = await asyncio.gather(
        *(open_database(mongodb_uri, name=database.name, driver_name=DRIVER) for _ in range(3))
    )
    for each in opened:
        await each.close()
    for collection, names in RETIRED.items():
        assert not set(names) & set(await mongo[collection].index_information())


@pytest.mark.new_database
async def test_a_process_opens_while_a_large_database_gets_its_indexes(
    mongodb_uri: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build is repeated where it fails meanwhile, as by a fail-over."""
    await untyped(database, "messages").drop_index("due")
    large = asyncio.Event()
    attempts: list[None] = []

    async def slow(raw: Any) -> None:
        attempts.append(None)
        await large.wait()
        if len(attempts) == 1:
            raise AutoReconnect("a new primary")
        await ensure_indexes(raw)

    monkeypatch.setattr(opening, "ensure_indexes", slow)
    monkeypatch.setattr(opening, "_INDEX_SECONDS", 0.05)
    monkeypatch.setattr(opening, "_INDEX_PAUSE", 0.05)
    opened = await open_database(mongodb_uri, name=database.name, driver_name=DRIVER)
    try:
        assert await opened.missing_indexes(5) == {"messages": ["due"]}
        large.set()
        async with asyncio.timeout(10):
            while await opened.missing_indexes(5):  # noqa: ASYNC110 - a build in the background
                await asyncio.sleep(0.05)
        assert len(attempts) == 2
    finally:
        await opened.close()
