"""Forks: new sessions with the first messages of others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import ADD, Client
from tests.support.mentions import read_once, recount, shown

FORK = """mutation($i: ForkSessionInput!) { forkSession(input: $i) { replayed session {
  sessionId uuid messageCount forkedFrom { sessionId seq } } } }"""
READ = """query($id: ID!) { session(sessionId: $id) {
  title metadata messageCount tokenCount revision readSeq unreadCount user { userId } forkedFrom { sessionId seq }
  messages(first: 100) { edges { node { uuid seq createdAt role name toolCallId content parts metadata tokenCount
    entities { name } enrichment { state } } } }
  memories { edges { node { uuid createdAt tokenCount metadata messages { uuid } } } }
  entities { edges { node { name mentionCount firstSeenAt lastSeenAt } } } } }"""
DELETE = "mutation($uuid: UUID!) { deleteMessage(input: { uuid: $uuid }) { deletedId } }"
MARK = 'mutation { markRead(input: { sessionId: "s", seq: 3 }) { session { readSeq } } }'
TITLE = 'mutation { updateSession(input: { sessionId: "s", title: "Names" }) { session { title } } }'


async def add(client: Client, *contents: str, session_id: str = "s", **more: Any) -> list[dict[str, Any]]:
    messages = [{"role": "user", "content": content, "metadata": {"n": content}} for content in contents]
    sent = {"sessionId": session_id, "messages": messages, **more}
    found: list[dict[str, Any]] = (await client.data(ADD, input=sent))["addMemory"]["memory"]["messages"]
    return found


async def fork(client: Client, through_seq: int, new: str = "t", source: str = "s", **more: Any) -> dict[str, Any]:
    sent = {"sessionId": source, "throughSeq": through_seq, "newSessionId": new, **more}
    payload: dict[str, Any] = (await client.data(FORK, i=sent))["forkSession"]
    return payload


async def refused(client: Client, through_seq: int, new: str = "t", source: str = "s", **more: Any) -> tuple[str, str]:
    sent = {"sessionId": source, "throughSeq": through_seq, "newSessionId": new, **more}
    error = await client.error(FORK, i=sent)
    return error["code"], error["message"]


async def read(client: Client, session_id: str) -> dict[str, Any]:
    """A session, with lists in place of connections."""
    session: dict[str, Any] = (await client.data(READ, id=session_id))["session"]
    for name in ("messages", "memories", "entities"):
        session[name] = [edge["node"] for edge in session[name]["edges"]]
    return session


async def enriched(database: Database) -> None:
    while await read_once(database):
        continue


async def test_the_messages_up_to_a_number_are_copied(client: Client, database: Database) -> None:
    first, *_ = await add(client, "0 1", "1 7", metadata={"kept": True}, userId="ada")
    rich = {
        "role": "tool",
        "name": "weather",
        "toolCallId": "c1",
        "content": "4 4",
        "parts": [{"type": "text", "text": "4 4"}],
        "createdAt": "2024-05-01T10:00:00.000Z",
    }
    await client.data(ADD, input={"sessionId": "s", "messages": [rich, {"role": "ai", "content": "9 0"}]})
    await client.data(DELETE, uuid=first["uuid"])
    await client.data(TITLE)
    await client.data(MARK)
    await enriched(database)
    before = await read(client, "s")
    payload = await fork(client, 3)
    origin = {"sessionId": "s", "seq": 3}
    assert (payload["replayed"], payload["session"]["messageCount"], payload["session"]["forkedFrom"]) == (
        False,
        2,
        origin,
    )
    assert await read(client, "s") == before
    copied = await read(client, "t")
    assert (copied["title"], copied["metadata"], copied["user"]) == ("Names", {"kept": True}, {"userId": "ada"})
    assert (copied["readSeq"], copied["unreadCount"], copied["revision"]) == (2, 0, 1)
    assert copied["tokenCount"] == sum(message["tokenCount"] for message in before["messages"][:2])
    old, new = before["messages"][:2], copied["messages"]
    assert [message.pop("seq") for message in new] == [1, 2]
    assert [message.pop("seq") for message in old] == [2, 3]
    uuids = [message.pop("uuid") for message in new]
    assert not {message.pop("uuid") for message in old} & set(uuids)
    assert new == old
    assert all(message["enrichment"] == {"state": "DONE"} for message in new)
    assert [memory["messages"] for memory in copied["memories"]] == [[{"uuid": uuid}] for uuid in uuids]
    for memory, source, message in zip(copied["memories"], before["memories"], new, strict=True):
        assert (memory["createdAt"], memory["metadata"]) == (source["createdAt"], source["metadata"])
        assert memory["tokenCount"] == message["tokenCount"]
        assert memory["uuid"] != source["uuid"]
    assert {entity["name"] for entity in copied["entities"]} == {
        name["name"] for one in new for name in one["entities"]
    }
    assert await shown(database) == await recount(database)
    waiting = await database.recall.find({"sessionId": "t"}, sort=[("seq", 1)])
    assert [found["_id"] for found in waiting] == uuids
    assert not any("vector" in found for found in waiting)
    (added,) = await add(client, "7", session_id="t")
    assert added["seq"] == 3
    await client.data(DELETE, uuid=uuids[0])
    assert await shown(database) == await recount(database)


async def test_messages_that_wait_for_their_entities_get_them(client: Client, database: Database) -> None:
    await add(client, "0 1", "7")
    await fork(client, 2)
    assert {message["enrichment"]["state"] for message in (await read(client, "t"))["messages"]} == {"PENDING"}
    await enriched(database)
    copied = await read(client, "t")
    assert [len(message["entities"]) for message in copied["messages"]] == [2, 1]
    assert await shown(database) == await recount(database)


async def test_a_fork_is_summarised_like_another_session(client: Client, database: Database) -> None:
    await add(client, *["0"] * 20)
    await fork(client, 20)
    session = await database.sessions.find_one({"_id": "t"})
    assert session is not None
    assert session["summarising"]["attempts"] == 0
    assert session["summarySeq"] == 0


async def test_a_fork_that_is_sent_again_changes_nothing(client: Client) -> None:
    await add(client, "0", "1", "4")
    answers = await asyncio.gather(*(fork(client, 2) for _ in range(5)))
    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 4
    assert len({answer["session"]["uuid"] for answer in answers}) == 1
    await add(client, "7", session_id="t")
    before = await read(client, "t")
    assert (await fork(client, 2))["replayed"]
    assert await read(client, "t") == before
    in_use = "newSessionId is 't', and this session exists already: choose another id"
    assert await refused(client, 3) == ("CONFLICT", in_use)
    assert await refused(client, 1, new="s") == ("CONFLICT", in_use.replace("'t'", "'s'"))
    again = await fork(client, 1, new="u", source="t")
    assert again["session"]["forkedFrom"] == {"sessionId": "t", "seq": 1}


async def test_wrong_forks_are_refused(client: Client, database: Database) -> None:
    await add(client, "0", userId="ada")
    assert (await refused(client, 0))[0] == "BAD_USER_INPUT"
    later = "throughSeq is 2, and the newest message has 1: send the seq of a message"
    assert await refused(client, 2) == ("BAD_USER_INPUT", later)
    assert (await refused(client, 1, new=""))[0] == "BAD_USER_INPUT"
    assert (await refused(client, 1, source="none"))[0] == "NOT_FOUND"
    assert (await refused(client, 1, userId="bob"))[0] == "CONFLICT"
    assert await database.sessions.find_one({"_id": "t"}) is None
    await add(client, "0", session_id="nobodys")
    await fork(client, 1, new="given", source="nobodys", userId="ada")
    assert (await read(client, "given"))["user"] == {"userId": "ada"}


@pytest.mark.slow
async def test_the_size_of_a_fork_is_bounded(client: Client, database: Database) -> None:
    for number in (1_000, 1):
        await add(client, *["0"] * number, session_id="long")
    code, message = await refused(client, 1_001, source="long")
    assert (code, "more than 1,000" in message) == ("BAD_USER_INPUT", True)
    for _ in range(17):
        sent = {"sessionId": "large", "messages": [{"role": "user", "content": "x" * 1_000_000}]}
        await client.data(ADD, input=sent)
    assert (await refused(client, 17, source="large"))[0] == "BAD_USER_INPUT"
    assert await database.sessions.find_one({"_id": "t"}) is None
    assert (await fork(client, 1_000, source="long"))["session"]["messageCount"] == 1_000


async def test_end_users_fork_their_own_sessions_under_their_own_ids(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, key = await create_key(database, "backend", Right.WRITE)
    given = {"jwt_secret": SecretStr(SECRET), "jwt_session_prefix": "chat:{sub}:"}
    async with served_with(settings, mongodb_uri, **given) as client:
        as_caller(client, key)
        for user in ("ada", "bob"):
            await add(client, "0", session_id=user, userId=user)
        as_caller(client, token("ada"))
        assert (await fork(client, 1, "chat:ada:1", "ada"))["session"]["messageCount"] == 1
        refusals = {await refused(client, 1, new, "ada") for new in ("chat:bob:1", "new", "bob")}
        assert refusals == {("FORBIDDEN", "the sessionId of a new session must begin with 'chat:ada:'")}
        for seq in (1, 9):
            errors = [await refused(client, seq, "chat:ada:2", source) for source in ("bob", "none")]
            assert errors == [("NOT_FOUND", f"there is no session '{name}'") for name in ("bob", "none")]
        assert (await refused(client, 1, "chat:ada:2", "ada", userId="bob"))[0] == "FORBIDDEN"
        assert await database.sessions.count_documents({}) == 3
