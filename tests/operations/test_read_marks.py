"""How far a user has read a session, and how many messages are unread."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client
from tests.support.live import url, watching
from tests.support.live_client import socket_to

MARK = "mutation($i: MarkReadInput!) { markRead(input: $i) { session { readSeq unreadCount revision updatedAt } } }"
READ = "query($id: ID!) { session(sessionId: $id) { readSeq unreadCount revision updatedAt } }"
POP = "mutation($id: ID!) { popMessage(input: { sessionId: $id }) { deletedId } }"
CLEAR = "mutation($id: ID!) { deleteMemory(input: { sessionId: $id }) { deletedId } }"
DELETE = "mutation($uuid: UUID!) { deleteMessage(input: { uuid: $uuid }) { deletedId } }"
UPDATED = "subscription($user: ID) { sessionUpdated(userId: $user) { kind sessionId session { readSeq unreadCount } } }"


async def add(client: Client, number: int, session_id: str = "s", **more: Any) -> list[str]:
    messages = [{"role": "user", "content": "x"}] * number
    added = await client.data(ADD, input={"sessionId": session_id, "messages": messages, **more})
    return [message["uuid"] for message in added["addMemory"]["memory"]["messages"]]


async def mark(client: Client, seq: int, session_id: str = "s") -> dict[str, Any]:
    payload = await client.data(MARK, i={"sessionId": session_id, "seq": seq})
    session: dict[str, Any] = payload["markRead"]["session"]
    return session


async def unread(client: Client, session_id: str = "s") -> tuple[int, int]:
    session = (await client.data(READ, id=session_id))["session"]
    return session["readSeq"], session["unreadCount"]


async def test_what_is_read_is_no_longer_unread(client: Client) -> None:
    await add(client, 5)
    before = (await client.data(READ, id="s"))["session"]
    assert (before["readSeq"], before["unreadCount"]) == (0, 5)
    assert await mark(client, 3) == {**before, "readSeq": 3, "unreadCount": 2}
    assert await mark(client, 2) == {**before, "readSeq": 3, "unreadCount": 2}  # it never goes back
    await asyncio.gather(*(mark(client, seq) for seq in (5, 1, 4)))
    assert await unread(client) == (5, 0)
    await add(client, 2)
    assert await unread(client) == (5, 2)
    for seq, start in ((8, "seq is 8, and the newest message has 7"), (0, "seq must be at least 1"), (-1, "seq must")):
        error = await client.error(MARK, i={"sessionId": "s", "seq": seq})
        assert (error["code"], error["message"][: len(start)]) == ("BAD_USER_INPUT", start)
    assert (await client.error(MARK, i={"sessionId": "none", "seq": 1}))["code"] == "NOT_FOUND"


async def test_deleted_messages_are_not_unread(client: Client) -> None:
    uuids = await add(client, 6)
    for place in (0, 3):
        await client.data(DELETE, uuid=uuids[place])
    assert await unread(client) == (0, 4)
    await mark(client, 2)
    assert await unread(client) == (2, 3)
    await client.data(POP, id="s")
    assert await unread(client) == (2, 2)
    await mark(client, 6)  # which was deleted
    assert await unread(client) == (6, 0)
    await client.data(CLEAR, id="s")
    await add(client, 2)
    assert await unread(client) == (6, 2)
    assert (await mark(client, 7))["unreadCount"] == 1


@pytest.mark.parametrize("hole", [False, True])
async def test_the_count_is_bounded(client: Client, commands: Commands, hole: bool) -> None:
    await add(client, 1)
    await mark(client, 1)
    for number in (1_000, 5):
        uuids = await add(client, number)
    if hole:
        await client.data(DELETE, uuid=uuids[-1])
    with commands.recorded() as recorded:
        assert await unread(client) == (1, 1_000)
    reads = [command for name, command in recorded if name == "aggregate"]
    assert len(reads) == hole
    await mark(client, 900)
    assert await unread(client) == (900, 105 if hole else 106)


async def test_the_user_s_list_learns_of_a_mark(client: Client, app: Starlette) -> None:
    await add(client, 3, userId="ada")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(UPDATED, {"user": "ada"}, "1")
        await watching(app)
        await mark(client, 2)
        while (update := (await socket.data())["sessionUpdated"])["session"]["readSeq"] == 0:
            assert update["kind"] == "CREATED"  # it was created in the millisecond in which the subscription began
        assert (update["sessionId"], update["session"]) == ("s", {"readSeq": 2, "unreadCount": 1})


async def test_end_users_mark_their_own_sessions_alone(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, key = await create_key(database, "backend", Right.WRITE)
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        as_caller(client, key)
        for user in ("ada", "bob"):
            await add(client, 3, user, userId=user)
        await mark(client, 1, "ada")
        as_caller(client, token("ada"))
        assert await unread(client, "ada") == (1, 2)
        assert (await mark(client, 3, "ada"))["unreadCount"] == 0
        for seq in (1, 9):
            errors = [await client.error(MARK, i={"sessionId": name, "seq": seq}) for name in ("bob", "none")]
            assert [error["message"] for error in errors] == ["there is no session 'bob'", "there is no session 'none'"]
        as_caller(client, key)
        assert await unread(client, "bob") == (0, 3)
