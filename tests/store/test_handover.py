"""A session with very many entities is given to a user: they follow in steps, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from graph.store import sessions, users
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.documents import EntityDocument
from graph.store.editing import edits
from graph.store.entities.reading import as_entity, mentions
from graph.store.jobs import enrichment, erasure, handover
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import MOST_ENTITIES, Outcome
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from tests.support.contents import exported, imported
from tests.support.killed import run_and_kill
from tests.support.mentions import entities_named, expire_leases, recount, shown
from tests.support.untyped import untyped

LIMITS = Limits(messages=256, tokens=16_384, attempts=5)


def _found(number: int, message: int) -> list[EntityDocument]:
    """The entities of a message: half of them have names that no other message has."""
    names = [f"Name{message if place % 2 else 0}x{place}" for place in range(number)]
    return entities_named(names, "ORG")


async def mention(
    database: Database, session_id: str, messages: int, entities: int, user_id: str | None = None
) -> None:
    """Add messages to a session, each with this number of entities."""
    new = NewMemory(session_id, [NewMessage("human", "x", 3)] * messages, user_id=user_id)
    await add_memory(database, EVERYTHING, new)
    held = await enrichment.claim(database, LIMITS, lease_seconds=600)
    outcomes = [Outcome(uuid, 1, _found(entities, number)) for number, uuid in enumerate(held.uuids)]
    assert await enrichment.complete(database, held.lease, outcomes) == messages


GIVER = """
import asyncio, sys
from graph.store import sessions
from graph.store.database import open_database
from graph.store.jobs import handover
from graph.store.scope import EVERYTHING
from tests.support.driver import DRIVER
from tests.support.killed import stopping_after

async def main(uri, name, session_id, user_id):
    handover.ENTITIES_AT_ONCE, handover.BATCH = 10, 7
    database = await open_database(uri, name=name, driver_name=DRIVER)
    handover._give = stopping_after(handover._give)
    await sessions.update_session(database, EVERYTHING, session_id, user_id=user_id, metadata=None)

asyncio.run(main(*sys.argv[1:]))
"""


def give_and_die(uri: str, database: Database, session_id: str, user_id: str) -> None:
    """Give a session to a user in a process of its own, which is killed after the first batch."""
    run_and_kill(GIVER, uri, database.name, session_id, user_id)


async def finish_jobs(database: Database) -> None:
    await expire_leases(database)
    while await erasure.run_pending(database) + await handover.run_pending(database):
        continue


async def given(database: Database, user_id: str) -> int:
    """How many entities the user has; each says as many mentions as can be read of it."""
    found = await database.entities.find({"owner": f"u:{user_id}"})
    for entity in found:
        assert entity["mentionCount"] == len(await mentions(database, as_entity(entity)))
    return len(found)


async def mention_more(database: Database) -> None:
    await mention(database, "large", 2, 40)


async def delete_a_message(database: Database) -> None:
    message = await untyped(database, "messages").find_one({"sessionId": "large"}, sort=[("seq", 1)])
    await edits.delete_message(database, EVERYTHING, message["_id"])


async def share(database: Database) -> None:
    await mention(database, "other", 1, 30, "ann")


async def clear(database: Database) -> None:
    await sessions.delete_contents(database, EVERYTHING, "large")


async def end(database: Database) -> None:
    await sessions.delete_session(database, EVERYTHING, "large")


async def end_user(database: Database) -> None:
    await users.delete_user(database, EVERYTHING, "ann")


async def begin_again(database: Database) -> None:
    await end(database)
    await mention(database, "large", 1, 20, "bob")


async def nothing(_database: Database) -> None:
    return


@pytest.mark.parametrize(
    "meanwhile", [nothing, mention_more, delete_a_message, share, clear, end, end_user, begin_again]
)
async def test_a_killed_handover_is_finished_by_another_process(
    database: Database, mongodb_uri: str, meanwhile: Callable[[Database], Awaitable[None]]
) -> None:
    await mention(database, "large", 2, 20)
    await asyncio.to_thread(give_and_die, mongodb_uri, database, "large", "ann")
    assert (await untyped(database, "sessions").find_one({"_id": "large"}))["userId"] == "ann"
    assert await given(database, "ann") == 7
    await meanwhile(database)
    await given(database, "ann")
    await finish_jobs(database)
    assert await shown(database) == await recount(database)
    assert not await database.handovers.count_documents({})


async def test_a_call_that_gives_a_session_returns_with_all_entities(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "ENTITIES_AT_ONCE", 10)
    monkeypatch.setattr(handover, "BATCH", 7)
    await mention(database, "updated", 2, 20)
    await sessions.update_session(database, EVERYTHING, "updated", user_id="ann", metadata=None)
    assert await given(database, "ann") == 30
    await mention(database, "added", 2, 20)
    await add_memory(database, EVERYTHING, NewMemory("added", [NewMessage("human", "x", 1)], user_id="bob"))
    assert await given(database, "bob") == 30
    assert not await database.handovers.count_documents({})


@pytest.mark.slow
async def test_a_session_with_twenty_thousand_entities_is_given_to_a_user(database: Database) -> None:
    await mention(database, "large", 10, MOST_ENTITIES)
    assert await database.entities.count_documents({"owner": "s:large", "own": {"$exists": True}}) >= 20_000
    await sessions.update_session(database, EVERYTHING, "large", user_id="ann", metadata=None)
    await handover.finish(database, "large")  # on a slow machine the call returns before
    assert await shown(database) == await recount(database)


@pytest.mark.slow
@pytest.mark.parametrize("user_id", [None, "ann"])
async def test_a_session_with_ten_thousand_entities_is_imported(database: Database, user_id: str | None) -> None:
    """In one transaction MongoDB refuses some 6,500 of them."""
    await mention(database, "large", 5, MOST_ENTITIES, user_id)
    before = await shown(database)
    file = await exported(database)
    await end(database)
    await finish_jobs(database)
    await imported(database, file)
    assert await shown(database) == before
