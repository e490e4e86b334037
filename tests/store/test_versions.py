"""The version of the schema, and the migrations of the data of the first release."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient

from graph.errors import StartupError
from graph.settings import Settings
from graph.store import vectors
from graph.store.database import Database, open_database
from graph.store.documents import now
from graph.store.editing.edits import delete_message
from graph.store.indexes import INDEXES, RETIRED
from graph.store.jobs import migrations
from graph.store.scope import EVERYTHING
from graph.store.versions import CURRENT, SCHEMA
from tests.support.archives import load
from tests.support.databases import new_name
from tests.support.driver import DRIVER
from tests.support.fill_release import ERASED, TRIP, WAITING, message_uuid
from tests.support.killed import run_and_kill
from tests.support.paths import SCHEMA_0
from tests.support.untyped import untyped

STOPPING = """
    import asyncio, sys
    from graph.store.database import open_database
    from graph.store.jobs import migrations
    from tests.support.killed import stopping_after

    async def run():
        migrations.BATCH = 5
        migrations._advanced = stopping_after(migrations._advanced)
        database = await open_database(sys.argv[1], name=sys.argv[2], driver_name=sys.argv[3])
        await migrations.run_pending(database)

    asyncio.run(run())
"""


@pytest.fixture
def old(mongodb_uri: str) -> Any:
    """The name of a database with the data and the indexes of the first release."""
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        name = new_name()
        load(SCHEMA_0, client[name])
        yield name
        client.drop_database(name)


@pytest.fixture
async def upgraded(mongodb_uri: str, old: str) -> Any:
    """The database of the first release, opened, with nothing migrated."""
    database = await open_database(mongodb_uri, name=old, driver_name=DRIVER)
    yield database
    await database.close()


async def state(database: Database) -> dict[str, Any]:
    found: dict[str, Any] | None = await untyped(database, "versions").find_one(SCHEMA)
    assert found is not None
    return found


async def stored(database: Database) -> int:
    """The number of the documents that migrations pass."""
    passed = (database.messages, database.summaries, database.all_sessions)
    return sum([await collection.count_documents({}) for collection in passed])


def test_the_version_is_the_number_of_the_migrations() -> None:
    assert len(migrations.MIGRATIONS) == CURRENT


@pytest.mark.new_database
async def test_an_empty_database_gets_the_current_version(database: Database) -> None:
    assert await state(database) == {**SCHEMA, "number": CURRENT, "newest": CURRENT}
    assert await migrations.run_pending(database) == 0


async def test_processes_that_start_at_once_on_old_data_migrate_it_once(mongodb_uri: str, old: str) -> None:
    opened = await asyncio.gather(*(open_database(mongodb_uri, name=old, driver_name=DRIVER) for _ in range(6)))
    try:
        assert (await state(opened[0]))["number"] == 0
        passed = await asyncio.gather(*(migrations.run_pending(database) for database in opened))
        documents = await stored(opened[0])
        assert sorted(passed) == [0] * 5 + [documents]
        assert await state(opened[0]) == {**SCHEMA, "number": CURRENT, "newest": CURRENT}
        for name, models in INDEXES.items():
            there = set(await opened[0].client[old][name].index_information())
            assert {model.document["name"] for model in models} <= there
            assert not there & set(RETIRED.get(name, ()))
    finally:
        for database in opened:
            await database.close()


async def test_enriched_messages_wait_for_vectors_and_pending_and_erased_ones_do_not(upgraded: Database) -> None:
    await migrations.run_pending(upgraded)
    recall = {one["_id"]: one for one in await upgraded.recall.find({})}
    done = await upgraded.messages.find({"enrichment.state": "DONE", "sessionId": {"$ne": ERASED}})
    assert recall.keys() == {message["_id"] for message in done}
    assert {message["sessionId"] for message in done} >= {TRIP}
    assert not recall.keys() & {message_uuid(WAITING, number) for number in range(1, 4)}
    for message in done:
        one = recall[message["_id"]]
        assert (one["sessionId"], one["memoryId"], one["seq"]) == (
            message["sessionId"],
            message["memoryId"],
            message["seq"],
        )
        assert "lease" not in message["enrichment"]


async def test_matches_count_the_units_of_utf_16(upgraded: Database) -> None:
    await migrations.run_pending(upgraded)
    shifted = 0
    for text in [*await upgraded.messages.find({}), *await upgraded.summaries.find({})]:
        units = text["content"].encode("utf-16-le")
        for match in [match for entity in text["entities"] for match in entity["matches"]]:
            start = match["start"] + match.get("wide", 0)
            found = units[2 * start : 2 * (start + len(match["text"]))].decode("utf-16-le")
            assert found == match["text"]
            shifted += match.get("wide", 0) > 0
    assert shifted > 20


async def test_a_killed_migration_is_resumed_where_it_was(mongodb_uri: str, upgraded: Database) -> None:
    await asyncio.to_thread(run_and_kill, STOPPING, mongodb_uri, upgraded.name, DRIVER)
    killed = await state(upgraded)
    assert (killed["number"], killed["passed"], killed["newest"]) == (0, 5, CURRENT)
    assert await migrations.run_pending(upgraded) == 0  # the lease of the dead process
    await untyped(upgraded, "versions").update_one(SCHEMA, {"$set": {"dueAt": now() - timedelta(seconds=1)}})
    assert await migrations.run_pending(upgraded) == await stored(upgraded) - 5
    assert (await state(upgraded))["number"] == CURRENT
    assert await upgraded.recall.count_documents({}) > 5


async def test_a_message_deleted_meanwhile_leaves_nothing(upgraded: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = message_uuid(TRIP, 3)
    deleted: list[asyncio.Task[Any]] = []

    async def late(*arguments: Any) -> None:
        if not deleted:
            deleted.append(asyncio.create_task(delete_message(upgraded, EVERYTHING, uuid)))
            await asyncio.sleep(0.2)  # it has read, and waits for the lock of the message
        await vectors.await_vectors(*arguments)

    monkeypatch.setattr(migrations, "await_vectors", late)
    await migrations.run_pending(upgraded)
    await deleted[0]
    assert await upgraded.messages.count_documents({"_id": uuid}) == 0
    assert await upgraded.recall.count_documents({"_id": uuid}) == 0


async def test_a_process_resumes_by_itself_and_announces_it(
    upgraded: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await migrations.resume(upgraded)
    async with asyncio.timeout(20):
        while (await state(upgraded))["number"] < CURRENT:  # noqa: ASYNC110 - a job in the background
            await asyncio.sleep(0.02)
        await asyncio.gather(*upgraded.background)
    assert f"migrating the database from schema version 0 to {CURRENT}" in caplog.text
    assert f"the database has schema version {CURRENT} of {CURRENT}" in caplog.text
    await migrations.resume(upgraded)
    assert upgraded.is_migrated


async def test_a_database_of_a_newer_version_is_refused_and_unchanged(mongodb_uri: str, old: str) -> None:
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        # From the moment at which the newer version opened it, before its first migration is done.
        client[old].versions.insert_one({**SCHEMA, "number": 0, "newest": CURRENT + 1, "dueAt": now()})
        before = sorted(client[old].list_collection_names())
        with pytest.raises(StartupError, match=f"has schema version {CURRENT + 1}, and this RecallQL knows .* install"):
            await open_database(mongodb_uri, name=old, driver_name=DRIVER)
        assert sorted(client[old].list_collection_names()) == before
        assert "words" in client[old].messages.index_information()


async def test_a_database_of_an_older_version_is_due(mongodb_uri: str, settings: Settings, database: Database) -> None:
    versions = untyped(database, "versions")
    await versions.replace_one(SCHEMA, {"number": CURRENT - 1, "newest": CURRENT - 1})
    opened = await open_database(mongodb_uri, name=settings.database, driver_name=DRIVER)
    try:
        found = await state(opened)
        assert (found["number"], found["newest"], "dueAt" in found) == (CURRENT - 1, CURRENT, True)
        await migrations.run_pending(opened)
    finally:
        await opened.close()
    assert await state(database) == {**SCHEMA, "number": CURRENT, "newest": CURRENT}
