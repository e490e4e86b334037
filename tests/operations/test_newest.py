"""The newest messages of a session: taken off, and replaced by others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.schema.node import global_id
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import ADD, Client
from tests.support.live import url, watching
from tests.support.live_client import socket_to
from tests.support.mentions import read_once, recount, shown
from tests.support.untyped import untyped

POP = """mutation($i: PopMessageInput!) { popMessage(input: $i) { deletedId session { revision messageCount }
  poppedMessage { id uuid seq createdAt role name toolCallId content parts metadata tokenCount } } }"""
REPLACE = """mutation($i: ReplaceFromInput!) { replaceFrom(input: $i) { deletedIds replayed
  session { revision messageCount tokenCount } memory { uuid messages { uuid seq role content } } } }"""
READ = """query($id: ID!) { session(sessionId: $id) { revision messageCount tokenCount
  messages(first: 1000) { totalCount edges { node { uuid seq role content tokenCount } } }
  memories { edges { node { tokenCount messages { tokenCount } } } } } }"""
UPDATED = 'subscription { messageUpdated(sessionId: "s") { kind seq uuid } }'


def said(*contents: str, **more: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content, **more} for content in contents]


async def add(client: Client, *contents: str, session_id: str = "s", **more: Any) -> list[str]:
    added = await client.data(ADD, input={"sessionId": session_id, "messages": said(*contents), **more})
    return [message["uuid"] for message in added["addMemory"]["memory"]["messages"]]


async def pop(client: Client, **more: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await client.data(POP, i={"sessionId": "s", **more}))["popMessage"]
    return payload


async def replace(client: Client, seq: int, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    sent = {"sessionId": "s", "seq": seq, "messages": messages, **more}
    payload: dict[str, Any] = (await client.data(REPLACE, i=sent))["replaceFrom"]
    return payload


async def refused(client: Client, query: str, **sent: Any) -> dict[str, Any]:
    """The error of a change that changes nothing."""
    before = await client.data(READ, id="s")
    error = await client.error(query, i={"sessionId": "s", **sent})
    assert await client.data(READ, id="s") == before
    return error


async def contents(client: Client) -> dict[int, str]:
    """The contents by number, after comparing the counts with a recount."""
    session = (await client.data(READ, id="s"))["session"]
    messages = [edge["node"] for edge in session["messages"]["edges"]]
    assert session["messageCount"] == session["messages"]["totalCount"] == len(messages)
    assert session["tokenCount"] == sum(message["tokenCount"] for message in messages)
    for edge in session["memories"]["edges"]:
        assert edge["node"]["tokenCount"] == sum(message["tokenCount"] for message in edge["node"]["messages"])
    return {message["seq"]: message["content"] for message in messages}


async def assert_exact(database: Database) -> None:
    """The counts of the entities are those of a recount."""
    assert await shown(database) == await recount(database)


async def test_the_newest_message_is_taken_off_and_given(client: Client) -> None:
    await add(client, "one")
    given: dict[str, Any] = {
        "uuid": str(uuid4()),
        "role": "tool",
        "name": "weather",
        "toolCallId": "c1",
        "content": "22 degrees",
        "parts": [{"type": "text", "text": "22 degrees"}],
        "metadata": {"a": [1]},
    }
    await client.data(ADD, input={"sessionId": "s", "messages": [given]})
    (kept,) = [edge["node"] for edge in (await client.data(READ, id="s"))["session"]["messages"]["edges"][1:]]
    payload = await pop(client)
    message = payload["poppedMessage"]
    assert {name: message[name] for name in given} == given
    assert (message["seq"], message["tokenCount"]) == (2, kept["tokenCount"])
    assert payload["deletedId"] == message["id"] == global_id("Message", given["uuid"])
    assert payload["session"] == {"revision": 3, "messageCount": 1}
    assert await contents(client) == {1: "one"}
    assert (await pop(client))["poppedMessage"]["content"] == "one"
    nothing = await pop(client)
    assert nothing == {"deletedId": None, "poppedMessage": None, "session": {"revision": 4, "messageCount": 0}}
    await add(client, "later")
    assert await contents(client) == {3: "later"}


async def test_two_at_once_never_take_the_same(client: Client) -> None:
    await add(client, *map(str, range(12)))
    taken = await asyncio.gather(*(pop(client) for _ in range(15)))
    seqs = [payload["poppedMessage"]["seq"] for payload in taken if payload["poppedMessage"]]
    assert sorted(seqs) == list(range(1, 13))
    assert await contents(client) == {}


async def test_a_session_that_moved_on_keeps_its_newest_message(client: Client) -> None:
    await add(client, "one", "two")
    for query, more in ((POP, {}), (REPLACE, {"seq": 2, "messages": said("new")})):
        error = await refused(client, query, expectedRevision=7, **more)
        assert (error["code"], error["extensions"]["revision"]) == ("CONFLICT", 1)
    answers = await asyncio.gather(*(client.send(POP, i={"sessionId": "s", "expectedRevision": 1}) for _ in range(6)))
    assert sum("errors" not in answer for answer in answers) == 1
    assert await contents(client) == {1: "one"}
    assert (await replace(client, 1, said("new"), expectedRevision=2))["session"]["revision"] == 3


async def test_what_follows_is_replaced_at_once(client: Client) -> None:
    uuids = await add(client, "one", "two") + await add(client, "three", "four")
    payload = await replace(client, 2, said("2nd", "3rd"))
    assert payload["deletedIds"] == [global_id("Message", uuid) for uuid in uuids[1:]]
    assert [message["seq"] for message in payload["memory"]["messages"]] == [5, 6]
    assert (payload["replayed"], payload["session"]["messageCount"], payload["session"]["revision"]) == (False, 3, 3)
    assert await contents(client) == {1: "one", 5: "2nd", 6: "3rd"}
    assert (await replace(client, 7, said("more")))["deletedIds"] == []
    assert await contents(client) == {1: "one", 5: "2nd", 6: "3rd", 7: "more"}
    for seq in (0, -1):
        error = await refused(client, REPLACE, seq=seq, messages=said("x"))
        assert (error["code"], error["message"][:20]) == ("BAD_USER_INPUT", "seq must be at least")
    error = await refused(client, REPLACE, seq=1, messages=[])
    assert error["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("by", ["idempotencyKey", "uuid"])
async def test_a_replacement_that_is_sent_again_changes_nothing(client: Client, by: str) -> None:
    await add(client, "one", "two")
    more = {"idempotencyKey": "k"} if by == "idempotencyKey" else {}
    messages = said("new", uuid=str(uuid4())) if by == "uuid" else said("new")
    first = await replace(client, 2, messages, expectedRevision=1, **more)
    await add(client, "answer")
    again = await replace(client, 2, messages, expectedRevision=1, **more)
    assert (again["replayed"], again["deletedIds"]) == (True, [])
    assert again["memory"]["uuid"] == first["memory"]["uuid"]
    for seq, other in ((1, messages), (2, [{**messages[0], "content": "other"}]), (2, [*messages, *said("more")])):
        assert (await refused(client, REPLACE, seq=seq, messages=other, **more))["code"] == "CONFLICT"
    assert await contents(client) == {1: "one", 3: "new", 4: "answer"}


async def test_a_replacement_takes_no_message_that_the_session_has(client: Client) -> None:
    uuids = await add(client, "one", "two")
    (foreign,) = await add(client, "other", session_id="t")
    for uuid in (*uuids, foreign):
        for content in ("one", "two", "other", "changed"):
            error = await refused(client, REPLACE, seq=2, messages=said("new") + said(content, uuid=uuid))
            assert error["code"] == "CONFLICT"
    assert (await client.data(READ, id="t"))["session"]["messageCount"] == 1


async def test_the_number_of_replaced_messages_is_bounded(client: Client, database: Database) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": said(*("0 1 4" for _ in range(1_000)))})
    await add(client, "1 7")
    while await read_once(database):
        continue
    error = await client.error(REPLACE, i={"sessionId": "s", "seq": 1, "messages": said("new")})
    assert error["code"] == "BAD_USER_INPUT"
    assert "more than 1,000 messages" in error["message"]
    assert len((await replace(client, 2, said("new")))["deletedIds"]) == 1_000
    assert await contents(client) == {1: "0 1 4", 1_002: "new"}
    await assert_exact(database)


async def test_what_depends_on_the_messages_goes_with_them(client: Client, database: Database) -> None:
    await add(client, "0 1 4", "1 7", "9 1", "4", userId="ada")
    while await read_once(database):
        continue
    summaries = untyped(database, "summaries")
    await summaries.insert_many(
        [{"_id": f"y{last}", "sessionId": "s", "firstSeq": 1, "lastSeq": last, "content": ""} for last in (1, 2, 4)]
    )
    await database.sessions.update_one({"_id": "s"}, {"$set": {"summarySeq": 4}})
    assert await database.recall.count_documents({}) == 4
    await pop(client)
    assert [found["_id"] for found in await summaries.find({}).to_list(None)] == ["y1", "y2"]
    await assert_exact(database)
    await replace(client, 2, said("7 7"))
    assert [found["_id"] for found in await summaries.find({}).to_list(None)] == ["y1"]
    session = await database.sessions.find_one({"_id": "s"})
    assert session is not None
    assert session["summarySeq"] == 1
    assert [found["seq"] for found in await database.recall.find({})] == [1]
    await assert_exact(database)
    while await read_once(database):
        continue
    await assert_exact(database)
    tombstones = await database.deletions.find({}, sort=[("seq", 1)])
    assert [(found["kind"], found["seq"]) for found in tombstones] == [("MESSAGE", seq) for seq in (2, 3, 4)]


async def test_subscribers_learn_of_each_deletion(client: Client, app: Starlette) -> None:
    uuids = await add(client, "one", "two", "three")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(UPDATED, {})
        await watching(app)
        await pop(client)
        assert (await socket.data())["messageUpdated"] == {"kind": "DELETED", "seq": 3, "uuid": uuids[2]}
        await replace(client, 1, said("new"))
        updates = [(await socket.data())["messageUpdated"] for _ in range(2)]
        assert sorted((update["seq"], update["uuid"]) for update in updates) == [(1, uuids[0]), (2, uuids[1])]


@pytest.fixture
async def ada(settings: Settings, mongodb_uri: str, database: Database) -> AsyncIterator[Client]:
    """Ada's client; her session begins with a message that she may not write, and Bob has a session too."""
    _, key = await create_key(database, "backend", Right.WRITE)
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        as_caller(client, key)
        system = {"role": "system", "content": "Be kind."}
        for session_id, user in (("s", "ada"), ("bobs", "bob")):
            await client.data(
                ADD, input={"sessionId": session_id, "userId": user, "messages": [system, *said("one", "two")]}
            )
        yield as_caller(client, token("ada"))


async def test_end_users_take_off_and_replace_messages_of_their_roles_alone(ada: Client) -> None:
    assert (await pop(ada))["poppedMessage"]["content"] == "two"
    await replace(ada, 2, said("mine"))
    assert (await refused(ada, REPLACE, seq=1, messages=said("x")))["code"] == "FORBIDDEN"
    assert (await refused(ada, REPLACE, seq=2, messages=[{"role": "system", "content": "x"}]))["code"] == "FORBIDDEN"
    await pop(ada)
    assert (await refused(ada, POP))["code"] == "FORBIDDEN"
    assert await contents(ada) == {1: "Be kind."}


async def test_another_s_session_is_as_an_unknown_one(ada: Client, database: Database) -> None:
    before = await database.messages.find({"sessionId": "bobs"})
    uuid = before[0]["_id"]
    for query, more in (
        (POP, {}),
        (POP, {"expectedRevision": 9}),
        (REPLACE, {"seq": 1, "messages": said("x")}),
        (REPLACE, {"seq": 1, "messages": said("x", uuid=uuid), "idempotencyKey": "k"}),
    ):
        errors = [await ada.error(query, i={"sessionId": name, **more}) for name in ("bobs", "none")]
        assert [error["message"] for error in errors] == ["there is no session 'bobs'", "there is no session 'none'"]
        assert {error["code"] for error in errors} == {"NOT_FOUND"}
    assert await database.messages.find({"sessionId": "bobs"}) == before
    assert await database.sessions.find_one({"_id": "none"}) is None


async def test_a_change_whose_answer_is_too_large_changes_nothing(client: Client) -> None:
    await add(client, "x" * 1_000_000)
    aliases = " ".join(f"a{number}: content" for number in range(30))
    query = f"mutation($i: PopMessageInput!) {{ popMessage(input: $i) {{ poppedMessage {{ {aliases} }} }} }}"
    assert (await refused(client, query))["code"] == "TOO_COSTLY"
