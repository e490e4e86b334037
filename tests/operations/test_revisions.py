"""Revisions: with each change that a reader can see they grow, and with nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from graph.store.database import Database
from tests.support.graphql_client import ADD, Client
from tests.support.mentions import read_once
from tests.support.untyped import untyped

READ = """{ session(sessionId: "s") { revision messages { edges { node {
  uuid revision content enrichment { state } } } } } }"""
UPDATE = "mutation($i: UpdateMessageInput!) { updateMessage(input: $i) { message { revision } } }"
SESSION = "mutation($i: UpdateSessionInput!) { updateSession(input: $i) { session { revision } } }"
DELETE = "mutation($uuid: UUID!) { deleteMessage(input: { uuid: $uuid }) { deletedId } }"
CLEAR = 'mutation { deleteMemory(input: { sessionId: "s" }) { session { revision } } }'
RETRY = 'mutation { retryEnrichment(input: { sessionId: "s" }) { retried } }'


async def stored(client: Client) -> tuple[int, list[dict[str, Any]]]:
    session = (await client.data(READ))["session"]
    return session["revision"], [edge["node"] for edge in session["messages"]["edges"]]


async def add(client: Client, *messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    sent = [{"role": "human", "content": "0 1", **message} for message in messages]
    payload: dict[str, Any] = (await client.data(ADD, input={"sessionId": "s", "messages": sent, **more}))["addMemory"]
    return payload


async def test_a_message_s_revision_grows_with_what_a_reader_sees(client: Client, database: Database) -> None:
    await add(client, {}, {})
    _, (first, second) = await stored(client)
    assert (first["revision"], first["enrichment"]["state"]) == (1, "PENDING")
    await read_once(database)
    _, (enriched, _) = await stored(client)
    assert (enriched["revision"], enriched["enrichment"]["state"]) == (2, "DONE")
    change = {"uuid": first["uuid"], "content": "1 2"}
    assert (await client.data(UPDATE, i=change))["updateMessage"]["message"] == {"revision": 3}
    assert (await client.data(UPDATE, i=change))["updateMessage"]["message"] == {"revision": 3}  # changes nothing
    await add(client, {"uuid": first["uuid"], "content": "0"})
    await read_once(database)
    _, (edited, other) = await stored(client)
    assert (edited["revision"], edited["content"]) == (5, "0")
    assert (other["uuid"], other["revision"]) == (second["uuid"], 2)
    await untyped(database, "messages").update_many({}, {"$set": {"enrichment": {"state": "FAILED", "attempts": 5}}})
    await client.data(RETRY)
    assert [message["revision"] for message in (await stored(client))[1]] == [6, 3]


@pytest.fixture
def life(client: Client) -> list[Callable[[], Awaitable[object]]]:
    """Changes of a session, in order."""
    uuid = "123e4567-e89b-12d3-a456-426614174000"

    def change(query: str, **variables: Any) -> Callable[[], Awaitable[object]]:
        return lambda: client.data(query, **variables)

    return [
        lambda: add(client, {"uuid": uuid}, {}),
        lambda: add(client, {}, metadata={"a": 1}),
        lambda: add(client, {"uuid": uuid, "content": "2"}),
        lambda: add(client, {"uuid": uuid, "content": "2"}, metadata={"a": 2}),
        change(UPDATE, i={"uuid": uuid, "metadata": {"b": 1}}),
        change(SESSION, i={"sessionId": "s", "metadata": {"b": 1}}),
        change(SESSION, i={"sessionId": "s", "userId": "ada"}),
        change(DELETE, uuid=uuid),
        change(CLEAR),
    ]


async def test_a_session_s_revision_grows_with_what_callers_change(
    client: Client, database: Database, life: list[Callable[[], Awaitable[object]]]
) -> None:
    seen = 0
    for change in life:
        await change()
        revision, _ = await stored(client)
        assert revision > seen
        seen = revision
        await read_once(database)
        await client.data(SESSION, i={"sessionId": "s", "metadata": {}})  # changes nothing
        assert (await stored(client))[0] == seen


async def test_what_was_stored_without_a_revision_gets_one(client: Client, database: Database) -> None:
    await add(client, {})
    for name in ("messages", "sessions"):
        await untyped(database, name).update_many({}, {"$unset": {"revision": ""}})
    revision, (message,) = await stored(client)
    assert (revision, message["revision"]) == (0, 0)
    await client.data(UPDATE, i={"uuid": message["uuid"], "content": "2"})
    revision, (message,) = await stored(client)
    assert (revision, message["revision"]) == (1, 1)
