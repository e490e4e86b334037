"""Making collections and indexes, by several processes at once."""

from __future__ import annotations

import asyncio
import uuid

from graph.store.database import Database, open_database
from graph.store.indexes import INDEXES
from tests.support.driver import DRIVER

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
