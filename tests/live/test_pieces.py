"""Subscriptions to the pieces of a message that is being written."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.app import create_app
from graph.enrichment.tokens import load_counter
from graph.live.group import MOST_KEPT
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from graph.store.scope import EVERYTHING
from graph.store.sessions import delete_contents, delete_session
from graph.store.streams.writing import interrupt_silent
from tests.support.access import SECRET, as_caller, changed, token
from tests.support.graphql_client import ADD, Client, serving
from tests.support.live import error, url, watching
from tests.support.live_client import Socket, socket_to
from tests.support.pieces import ABORT, append, finish, started
from tests.support.streams import EVENTS, streaming, until

STREAM = """subscription S($u: UUID!, $after: Int) { messageStream(uuid: $u, afterIndex: $after) {
  index text done status message { uuid seq content status tokenCount } } }"""
EDIT = "mutation M($input: UpdateMessageInput!) { updateMessage(input: $input) { message { revision } } }"
DELETE = "mutation M($input: DeleteMessageInput!) { deleteMessage(input: $input) { __typename } }"


async def piece(socket: Socket) -> Any:
    return (await socket.data())["messageStream"]


async def texts(socket: Socket, count: int) -> list[tuple[int, str]]:
    """The index and the text of the next pieces."""
    found = [await piece(socket) for _ in range(count)]
    assert all((one["done"], one["status"], one["message"]) == (False, "STREAMING", None) for one in found)
    return [(one["index"], one["text"]) for one in found]


async def end(socket: Socket) -> Any:
    """The message at the end, after which the subscription completes."""
    last = await piece(socket)
    assert (last["index"], last["text"], last["done"]) == (None, "", True)
    assert last["status"] == last["message"]["status"]
    assert (await socket.receive())["type"] == "complete"
    return last["message"]


async def test_stored_pieces_come_first_then_live_ones_and_the_message(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "a", "b", "c")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(STREAM, {"u": uuid})
        assert await texts(socket, 3) == [(0, "a"), (1, "b"), (2, "c")]
        await append(client, uuid, 3, "d", "e")
        assert await texts(socket, 2) == [(3, "d"), (4, "e")]
        finished = await finish(client, uuid)
        message = await end(socket)
        assert (message["uuid"], message["content"], message["status"]) == (uuid, "abcde", "COMPLETE")
        assert message["tokenCount"] == finished["tokenCount"]


async def test_data_of_pieces_comes_with_them(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "a")
    await append(client, uuid, 1, "b", "", data='{"type": "text"}')
    async with socket_to(url(client)) as socket:
        wanted = "subscription S($u: UUID!) { messageStream(uuid: $u) { index text data done } }"
        await socket.subscribe(wanted, {"u": uuid})
        stored = [await piece(socket) for _ in range(3)]
        await append(client, uuid, 3, "d", data="live")
        await append(client, uuid, 4, "e")
        live = [await piece(socket) for _ in range(2)]
        await finish(client, uuid)
        last = await piece(socket)
    assert [(one["text"], one["data"]) for one in stored] == [
        ("a", None),
        *((t, '{"type": "text"}') for t in ("b", "")),
    ]
    assert [(one["text"], one["data"]) for one in live] == [("d", "live"), ("e", None)]
    assert (last["done"], last["data"]) == (True, None)


async def test_a_reader_comes_back_after_an_index(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "a", "b", "c")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(STREAM, {"u": uuid, "after": 1})
        assert await texts(socket, 1) == [(2, "c")]
        await append(client, uuid, 3, "d")
        assert await texts(socket, 1) == [(3, "d")]
    async with socket_to(url(client)) as socket:
        await socket.subscribe(STREAM, {"u": uuid, "after": 3})
        await append(client, uuid, 3, "d")  # again
        await append(client, uuid, 4, "e")
        assert await texts(socket, 1) == [(4, "e")]
    async with socket_to(url(client)) as socket:
        await socket.subscribe(STREAM, {"u": uuid, "after": -1})
        assert [text for _, text in await texts(socket, 5)] == list("abcde")


@pytest.mark.parametrize("after", [None, 0, 1, 99])
async def test_after_the_end_the_message_comes_at_once(client: Client, after: int | None) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "a", "b")
    await finish(client, uuid, content="another text")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(STREAM, {"u": uuid, "after": after})
        assert (await end(socket))["content"] == "another text"


async def test_a_message_that_was_added_whole_has_ended(client: Client) -> None:
    uuid = str(uuid4())
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "human", "content": "x", "uuid": uuid}]})
    async with socket_to(url(client)) as socket:
        await socket.subscribe(STREAM, {"u": uuid})
        assert (await end(socket))["status"] == "COMPLETE"


@pytest.mark.parametrize("how", ["ABORTED", "INTERRUPTED", "EDITED"])
async def test_every_end_reaches_the_readers(client: Client, app: Starlette, database: Database, how: str) -> None:
    uuid = (await started(client))["uuid"]
    async with socket_to(url(client)) as socket:
        await socket.subscribe(STREAM, {"u": uuid})
        await watching(app)
        await append(client, uuid, 0, "as far")
        assert await texts(socket, 1) == [(0, "as far")]
        if how == "ABORTED":
            await client.data(ABORT, i={"uuid": uuid})
        elif how == "INTERRUPTED":
            await database.streams.update_one({"_id": uuid}, {"$set": {"dueAt": now()}})
            assert await interrupt_silent(database, load_counter().count_message_async) == 1
        else:
            await client.data(EDIT, input={"uuid": uuid, "content": "as far"})
        message = await end(socket)
        assert (message["content"], message["status"]) == ("as far", "COMPLETE" if how == "EDITED" else how)


@pytest.mark.parametrize("how", ["message", "contents", "session"])
async def test_a_deletion_ends_the_stream(client: Client, app: Starlette, database: Database, how: str) -> None:
    uuid = (await started(client))["uuid"]
    other = (await started(client, sessionId="other"))["uuid"]
    async with socket_to(url(client)) as socket, socket_to(url(client)) as spared:
        await socket.subscribe(STREAM, {"u": uuid})
        await spared.subscribe(STREAM, {"u": other})
        await watching(app, followers=2)
        await append(client, uuid, 0, "a")
        assert await texts(socket, 1) == [(0, "a")]
        if how == "message":
            await client.data(DELETE, input={"uuid": uuid})
        elif how == "contents":
            await delete_contents(database, EVERYTHING, "s")
        else:
            await delete_session(database, EVERYTHING, "s")
        assert (await socket.receive())["type"] == "complete"
        await append(client, other, 0, "b")
        assert await texts(spared, 1) == [(0, "b")]
    async with socket_to(url(client)) as socket:
        code, _ = await error(socket, STREAM, {"u": uuid})
        assert code == "NOT_FOUND"


async def test_wrong_starts_are_refused(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "a")
    async with socket_to(url(client)) as socket:
        for after in (-2, 1):
            code, message = await error(socket, STREAM, {"u": uuid, "after": after})
            assert code == "BAD_USER_INPUT"
            assert "afterIndex" in message
        code, _ = await error(socket, STREAM, {"u": str(uuid4())})
        assert code == "NOT_FOUND"


async def test_an_end_user_follows_only_their_own_messages(settings: Settings, mongodb_uri: str) -> None:
    app = create_app(changed(settings, jwt_secret=SecretStr(SECRET)), mongodb_uri)
    uuid = str(uuid4())
    async with serving(app) as client:
        await started(as_caller(client, token("bob")), sessionId="b", role="user", uuid=uuid)
        async with socket_to(url(client), bearer=token("ann")) as socket:
            assert (await error(socket, STREAM, {"u": uuid}))[0] == "NOT_FOUND"
            await started(as_caller(client, token("ann")), sessionId="a", role="user", uuid=uuid)  # the same choice
            await socket.subscribe(STREAM, {"u": uuid})
            await watching(app)
            await append(as_caller(client, token("bob")), uuid, 0, "of bob")
            await append(as_caller(client, token("ann")), uuid, 0, "of ann")
            assert await texts(socket, 1) == [(0, "of ann")]


async def test_readers_of_every_moment_get_each_piece_once(
    client: Client, mongodb_uri: str, settings: Settings
) -> None:
    """Readers on two servers come while the message is written, each after a piece, and one end reaches all."""
    total = 300
    uuid = (await started(client))["uuid"]

    async def write() -> None:
        for index in range(0, total, 3):
            await append(client, uuid, index, *(f"{index + place} " for place in range(3)))
        await finish(client, uuid)

    async def follow(reader: Client, delay: float) -> tuple[list[int], str]:
        await asyncio.sleep(delay)
        indexes, text = [], ""
        async with socket_to(url(reader)) as socket:
            await socket.subscribe(STREAM, {"u": uuid})
            while not (one := await piece(socket))["done"]:
                indexes.append(one["index"])
                text += one["text"]
        assert one["message"]["content"].startswith(text)
        return indexes, one["message"]["content"]

    async with serving(create_app(settings, mongodb_uri)) as other:
        readers = [follow((client, other)[number % 2], number * 0.02) for number in range(20)]
        writing = asyncio.create_task(write())
        seen = await asyncio.gather(*readers)
        await writing
    whole = "".join(f"{index} " for index in range(total))
    for indexes, content in seen:
        assert indexes == list(range(len(indexes)))
        assert content == whole
    assert len(seen[0][0]) == len(seen[1][0]) == total


async def test_a_slow_reader_loses_nothing(client: Client) -> None:
    """One that does not read for a while falls out of the kept payloads, and reads the store."""
    uuid = (await started(client))["uuid"]
    count = 3 * MOST_KEPT
    async with socket_to(url(client)) as socket:
        await socket.subscribe(STREAM, {"u": uuid})
        await append(client, uuid, 0, "x" * 60_000)
        for index in range(1, count, 64):
            await append(client, uuid, index, *(f"{index + place}" for place in range(min(64, count - index))))
        assert [index for index, _ in await texts(socket, count)] == list(range(count))
        await finish(client, uuid)
        assert (await end(socket))["status"] == "COMPLETE"


async def test_server_sent_events_resume_after_their_ids(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "a", "b")
    async with streaming(client, EVENTS, STREAM, u=uuid) as (_, chunks):
        assert "id: 1\n" in await until(chunks, '"text":"b"')
    await append(client, uuid, 2, "c")
    async with streaming(client, {**EVENTS, "last-event-id": "1"}, STREAM, u=uuid) as (_, chunks):
        text = await until(chunks, '"text":"c"')
        assert '"text":"b"' not in text
        await finish(client, uuid)
        text = await until(chunks, "event: complete")
        assert "id: end\n" in text
        assert '"content":"abc"' in text
    async with streaming(client, {**EVENTS, "last-event-id": "end"}, STREAM, u=uuid) as (_, chunks):
        assert "event: next" not in await until(chunks, "event: complete")
