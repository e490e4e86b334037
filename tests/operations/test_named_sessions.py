"""Lists of the sessions whose ids, or words of whose titles, begin with a text."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import InsertOne

from graph.store.database import Database
from graph.store.documents import SessionDocument, new_uuid, now
from graph.store.jobs import migrations
from graph.store.reading.keyset import Window, page
from graph.store.scope import EVERYTHING, Scope
from graph.store.sessions import SessionFilter, list_sessions
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client
from tests.support.plans import explained
from tests.support.sessions import LIST, UPDATE, create, listed
from tests.support.untyped import untyped

FORK = "mutation($i: ForkSessionInput!) { forkSession(input: $i) { session { sessionId } } }"


async def named(client: Client, text: str, **more: Any) -> set[str]:
    return set(await listed(client, filter={"named": text, **more}))


async def test_sessions_are_found_by_the_beginnings_of_their_ids_and_of_words_of_their_titles(client: Client) -> None:
    await create(client, "octopus", title="A week in Straße 7, with Éva_2")
    await create(client, "Octave")
    await create(client, "week")
    await create(client, "other", title="Weekly: (octopuses)!", userId="ann")
    assert await named(client, "oct") == {"octopus", "other"}
    assert await named(client, "Oct") == {"Octave", "other"}
    assert await named(client, "week") == {"week", "octopus", "other"}
    assert await named(client, "WEEK  strasse") == {"octopus"}
    assert await named(client, "week berlin") == set()
    assert await named(client, "éva") == {"octopus"}
    assert await named(client, "eek") == set()
    assert await named(client, ".*") == set()
    assert await named(client, "week", userId="ann") == {"other"}


async def test_a_title_is_found_as_it_is_now_also_of_a_fork(client: Client, database: Database) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "user", "content": "Hello"}]})
    assert await named(client, "harbour") == set()
    await client.data(UPDATE, input={"sessionId": "s", "title": "The harbour"})
    await client.data(FORK, i={"sessionId": "s", "throughSeq": 1, "newSessionId": "t"})
    assert await named(client, "harbour") == {"s", "t"}
    await client.data(UPDATE, input={"sessionId": "s", "title": "…"})
    assert await named(client, "harbour") == {"t"}
    stored = await untyped(database, "sessions").find_one({"_id": "s"})
    assert stored is not None
    assert "harbour" not in str(stored)
    await client.data(UPDATE, input={"sessionId": "t", "title": ""})
    assert await named(client, "harbour") == set()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "filter.named must not be empty"),
        ("x" * 513, "filter.named has 513 bytes, and at most 512 are accepted"),
        ("a b c d e f g h i j k", "filter.named has 11 words, and at most 10 are accepted"),
    ],
)
async def test_a_text_that_names_nothing_is_refused(client: Client, text: str, message: str) -> None:
    error = await client.error(LIST, filter={"named": text})
    assert (error["code"], error["message"]) == ("BAD_USER_INPUT", message)


async def test_a_caller_finds_their_own_sessions_alone(client: Client, database: Database) -> None:
    await create(client, "trip 1", title="A trip", userId="ann")
    await create(client, "trip 2", title="A trip", userId="bob")
    listing = list_sessions(database, Scope("ann"), SessionFilter(named="trip"))
    assert [one["_id"] for one in (await page(listing, Window(20), ())).items] == ["trip 1"]


async def test_titles_of_an_earlier_version_get_their_words(client: Client, database: Database) -> None:
    await create(client, "s", title="The harbour")
    await create(client, "t")
    sessions = untyped(database, "sessions")
    await sessions.update_one({"_id": "s"}, {"$unset": {"titleWords": ""}})
    assert await named(client, "harbour") == set()
    assert await migrations.MIGRATIONS[2](database, "") == ["s", "t"]
    assert await migrations.MIGRATIONS[2](database, "t") == []
    assert await named(client, "harbour") == {"s"}
    assert "titleWords" not in (await sessions.find_one({"_id": "t"}) or {})


@pytest.mark.slow
@pytest.mark.new_database
async def test_names_of_100_000_sessions_are_found_by_an_index(database: Database, commands: Commands) -> None:
    def session(number: int) -> SessionDocument:
        at = now()
        return {
            "_id": f"chat {number:06}",
            "uuid": new_uuid(),
            "metadata": {},
            "createdAt": at,
            "updatedAt": at,
            "lastSeq": 0,
            "messageCount": 0,
            "tokenCount": 0,
            "summarySeq": 0,
            "userId": f"user {number % 10}",
            "title": f"frequent t{number}",
            "titleWords": ["frequent", f"t{number}"],
        }

    for first in range(0, 100_000, 5_000):
        writes = [InsertOne(dict(session(number))) for number in range(first, first + 5_000)]
        await untyped(database, "sessions").bulk_write(writes, ordered=False)
    for scope in (EVERYTHING, Scope("user 7")):
        for text, most in (
            ("chat 09999", 100),
            ("t9999", 100),
            ("frequent t9999", 2_000),
            ("frequent", 2_000),
            ("chat", 2_000),
            ("absent", 10),
        ):
            with commands.recorded() as sent:
                listing = list_sessions(database, scope, SessionFilter(named=text), by="updatedAt", descending=True)
                found = (await page(listing, Window(50), ("title",))).items
            assert bool(found) == (text != "absent")
            (body,) = [body for name, body in sent if name == "find" and body["find"] == "sessions"]
            plan = await explained(database, body)
            assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])
            assert plan["executionStats"]["totalDocsExamined"] <= most, (scope, text, plan["executionStats"])
