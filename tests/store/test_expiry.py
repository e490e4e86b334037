"""The erasure of expired sessions: by any number of processes at once, by MongoDB's clock, in bounded looks."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from graph.store import expiry as store_expiry
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.documents import now
from graph.store.jobs import erasure, expiry
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from graph.store.sessions import find_session
from tests.support.commands import Commands
from tests.support.expiring import expire, read_names, stored
from tests.support.killed import run_and_kill
from tests.support.untyped import untyped

NAMED = "Octavia Butler wrote Kindred in Pasadena."


async def add(database: Database, session_id: str, count: int = 2, user_id: str | None = "ann") -> None:
    for first in range(0, count, 1_000):
        many = [NewMessage("human", NAMED, 9) for _ in range(min(1_000, count - first))]
        await add_memory(database, EVERYTHING, NewMemory(session_id, many, user_id=user_id))


async def test_an_expired_session_is_erased_whole(database: Database) -> None:
    for session_id in ("s", "kept"):
        await add(database, session_id)
    await read_names(database)
    await untyped(database, "summaries").insert_one({"_id": "y", "sessionId": "s", "lastSeq": 1, "content": NAMED})
    assert all((await stored(database, "s")).values())
    kept = await stored(database, "kept")
    await expire(database, "s")
    assert await expiry.run_pending(database) == 1
    assert not any((await stored(database, "s")).values())
    assert await stored(database, "kept") == kept
    counted = await database.entities.find({"owner": "u:ann"})
    assert {entity["mentionCount"] for entity in counted if "mentionCount" in entity} == {2}
    (tombstone,) = await database.deletions.find({})
    assert (tombstone["kind"], tombstone["sessionId"], tombstone["userId"]) == ("SESSION", "s", "ann")
    assert await expiry.run_pending(database) == 0


async def test_mongodb_s_clock_decides(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await add(database, "s")
    await untyped(database, "sessions").update_one(
        {"_id": "s"}, [{"$set": {"expiresAt": {"$add": ["$$NOW", 3_600_000]}}}]
    )
    monkeypatch.setattr(store_expiry, "now", lambda: now() + timedelta(days=1))
    assert await expiry.run_pending(database) == 0
    assert await find_session(database, EVERYTHING, "s") is not None
    await expire(database, "s")
    monkeypatch.setattr(store_expiry, "now", lambda: now() - timedelta(seconds=30))
    assert await find_session(database, EVERYTHING, "s") is None
    assert await expiry.run_pending(database) == 1


async def test_one_look_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"s{number}" for number in range(7)]
    for name in names:
        await add(database, name, 1)
    await expire(database, *names)
    monkeypatch.setattr(expiry, "AT_ONCE", 3)
    assert [await expiry.run_pending(database) for _ in range(4)] == [3, 3, 1, 0]


async def test_the_sweeps_of_several_processes_erase_once(database: Database) -> None:
    names = [f"s{number}" for number in range(12)]
    for name in names:
        await add(database, name)
    await read_names(database)
    await expire(database, *names)
    erased = await asyncio.gather(*(expiry.run_pending(database) for _ in range(4)))
    assert sum(erased) == len(names)
    assert await database.deletions.count_documents({}) == len(names)
    assert await database.messages.count_documents({}) == 0
    assert await database.entities.count_documents({"mentionCount": {"$gt": 0}}) == 0


async def test_adds_at_the_moment_of_the_expiry_are_before_or_after_it(database: Database) -> None:
    other = Database(database.client, database.name, database.write_deadline)  # without the locks of the first
    await add(database, "s", 3)
    old = await find_session(database, EVERYTHING, "s", {"uuid"})

    async def adding(opened: Database) -> list[tuple[str, int]]:
        found = []
        for _ in range(10):
            new = NewMemory("s", [NewMessage("human", NAMED, 9)])
            added = await add_memory(opened, EVERYTHING, new, {"uuid"})
            found.append((added.session["uuid"], added.memory["firstSeq"]))
        return found

    async def expiring() -> None:
        await expire(database, "s")
        await expiry.run_pending(other)

    first, second, _ = await asyncio.gather(adding(database), adding(other), expiring())
    session = await find_session(database, EVERYTHING, "s")
    assert old is not None
    assert session is not None
    assert session["uuid"] != old["uuid"]
    after = sorted(seq for uuid, seq in first + second if uuid == session["uuid"])
    assert {uuid for uuid, _ in first + second} <= {old["uuid"], session["uuid"]}
    assert after == list(range(1, len(after) + 1))
    assert session["messageCount"] == await database.messages.count_documents({"sessionId": "s"}) == len(after)


KILLED = """
import asyncio, sys
from graph.store.database import open_database
from graph.store import expiry as store_expiry
from graph.store.jobs import erasure, expiry
from tests.support.driver import DRIVER

async def main(uri, name):
    erasure.BATCH = 50
    database = await open_database(uri, name=name, driver_name=DRIVER)
    step = erasure._step
    async def slow(*args):
        done = await step(*args)
        print("batch", flush=True)
        await asyncio.sleep(0.02)
        return done
    erasure._step = slow
    await expiry.finish(database, erasure.session_job("s"))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_an_erasure_whose_process_was_killed_is_finished(database: Database, mongodb_uri: str) -> None:
    await add(database, "s", 2_500)
    await expire(database, "s")
    await asyncio.to_thread(run_and_kill, KILLED, mongodb_uri, database.name)
    assert 0 < (await stored(database, "s"))["messages"] < 2_500
    assert await find_session(database, EVERYTHING, "s") is None
    await database.erasures.update_many({}, {"$set": {"dueAt": now()}})
    assert await expiry.run_pending(database) == 0
    await erasure.run_pending(database)
    assert not any((await stored(database, "s")).values())


async def test_an_add_costs_one_read_more_for_a_new_session_alone(database: Database, commands: Commands) -> None:
    await add(database, "s", 1, None)
    with commands.recorded() as sent:
        await add(database, "s", 1, None)
    assert [name for name, command in sent if command.get(name) == "sessions"] == ["findAndModify"]
