"""Subscriptions: what is stored and what comes live, without a seam."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette

from graph.app import create_app
from graph.settings import Settings
from graph.store.database import Database
from tests.graphql_client import ADD, Client, serving
from tests.live_client import ADDED, SESSIONS, UPDATED, Socket, socket_to


async def add(client: Client, session_id: str, count: int = 1, **more: Any) -> None:
    messages = [{"role": "human", "content": f"message {number}"} for number in range(count)]
    await client.data(ADD, input={"sessionId": session_id, "messages": messages, **more})


def url(client: Client) -> str:
    return str(client.http.base_url)


async def error(socket: Socket, query: str, variables: dict[str, Any]) -> tuple[str, str]:
    await socket.subscribe(query, variables, "wrong")
    message = await socket.receive()
    assert message["type"] == "error", message
    (only,) = message["payload"]
    return only["extensions"]["code"], only["message"]


async def test_stored_messages_come_first_then_live_ones(client: Client) -> None:
    await add(client, "s", 5)
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s", "after": 2})
        assert await socket.seqs(3) == [3, 4, 5]
        await add(client, "s", 2)
        assert await socket.seqs(2) == [6, 7]


async def test_without_after_seq_only_new_messages_come(client: Client, app: Starlette) -> None:
    await add(client, "s", 3)
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s"})
        await watching(app)
        await add(client, "s")
        assert await socket.seqs(1) == [4]


async def test_an_unknown_session_comes_to_life(client: Client, app: Starlette) -> None:
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "later"})
        await watching(app)
        await add(client, "other")
        await add(client, "later", 2)
        assert await socket.seqs(2) == [1, 2]


async def test_a_message_of_another_server_arrives(client: Client, mongodb_uri: str, settings: Settings) -> None:
    async with serving(create_app(settings, mongodb_uri)) as other, socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s", "after": 0})
        await add(other, "s", 2)
        assert await socket.seqs(2) == [1, 2]


async def test_writers_never_leave_a_seam_between_stored_and_live(client: Client) -> None:
    """Subscribers come at every moment of a burst of writes, and each gets each message once, in order."""
    total = 60

    async def write() -> None:
        for _ in range(total // 3):
            await add(client, "busy")

    async def follow(delay: float, after: int) -> list[int]:
        await asyncio.sleep(delay)
        async with socket_to(url(client)) as socket:
            await socket.subscribe(ADDED, {"id": "busy", "after": after})
            return await socket.seqs(total - after)

    await add(client, "busy")
    await add(client, "other")
    total += 1
    followers = [follow(number * 0.01, number % 2) for number in range(40)]
    *seen, _, _, _ = await asyncio.gather(*followers, write(), write(), write())
    for number, seqs in enumerate(seen):
        assert seqs == list(range(number % 2 + 1, total + 1))


async def test_the_change_stream_is_open_while_somebody_follows(client: Client, app: Starlette) -> None:
    hub = app.state.backend.hub
    assert not hub.is_watching
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s"}, "1")
        await socket.subscribe(ADDED, {"id": "s"}, "2")
        await watching(app)
        await socket.send(id="1", type="complete")
        await asyncio.sleep(0.05)
        assert hub.is_watching
        await add(client, "s")
        assert (await socket.receive())["id"] == "2"
        await socket.send(id="2", type="complete")
        for _ in range(100):
            if not hub.is_watching:
                break
            await asyncio.sleep(0.02)
        assert not hub.is_watching


async def test_a_slow_subscriber_loses_nothing(client: Client, app: Starlette) -> None:
    """One that does not read for a while falls out of the payloads that are kept, and reads the store."""
    count = 600
    async with socket_to(url(client)) as fast, socket_to(url(client)) as slow:
        for socket in (fast, slow):
            await socket.subscribe(ADDED, {"id": "s", "after": 0})
        messages = [{"role": "human", "content": "x" * 20_000} for _ in range(50)]
        for _ in range(count // 50):
            await client.data(ADD, input={"sessionId": "s", "messages": messages})
        assert await fast.seqs(count) == list(range(1, count + 1))
        assert await slow.seqs(count) == list(range(1, count + 1))


async def test_edits_and_finished_enrichments_are_told(client: Client, app: Starlette, database: Database) -> None:
    await add(client, "s", 2)
    found = await database.messages.find({"sessionId": "s"}, sort=[("seq", 1)]).to_list(None)
    async with socket_to(url(client)) as socket:
        await socket.subscribe(UPDATED, {"id": "s"})
        await watching(app)
        again = {"uuid": found[0]["_id"], "role": "human", "content": "edited"}
        await client.data(ADD, input={"sessionId": "s", "messages": [again]})
        update = (await socket.data())["messageUpdated"]
        assert update == {"kind": "EDITED", "uuid": found[0]["_id"], "seq": 1, "message": {"content": "edited"}}
        await database.messages.update_one({"_id": found[1]["_id"]}, {"$set": {"enrichment": {"state": "DONE"}}})
        update = (await socket.data())["messageUpdated"]
        assert update["kind"] == "ENRICHED"
        assert update["seq"] == 2


async def test_a_list_of_sessions_stays_fresh(client: Client, app: Starlette) -> None:
    async with socket_to(url(client)) as socket:
        await socket.subscribe(SESSIONS, {"user": "ada"})
        await watching(app)
        await add(client, "of nobody")
        await add(client, "of bob", userId="bob")
        await add(client, "of ada", 2, userId="ada")
        assert (await socket.data())["sessionUpdated"] == {"sessionId": "of ada", "messageCount": 2}
        await add(client, "of ada")
        assert (await socket.data())["sessionUpdated"] == {"sessionId": "of ada", "messageCount": 3}


@pytest.mark.parametrize(
    ("after", "part"),
    [(-1, "afterSeq must be 0 or more, not -1"), (4, "the last message of the session is 3")],
)
async def test_a_wrong_after_seq_is_refused(client: Client, after: int, part: str) -> None:
    await add(client, "s", 3)
    async with socket_to(url(client)) as socket:
        code, message = await error(socket, ADDED, {"id": "s", "after": after})
        assert code == "BAD_USER_INPUT"
        assert part in message


async def test_the_hundred_and_first_operation_of_a_connection_is_refused(client: Client) -> None:
    async with socket_to(url(client)) as socket:
        for number in range(100):
            await socket.subscribe(ADDED, {"id": "s"}, str(number))
        code, message = await error(socket, ADDED, {"id": "s"})
        assert code == "TOO_COSTLY"
        assert "100 operations run on this connection" in message
        await socket.send(id="0", type="complete")
        await socket.subscribe("{ __typename }", {}, "again")
        assert (await socket.receive())["payload"] == {"data": {"__typename": "Query"}}


async def watching(app: Starlette) -> None:
    """Wait until the change stream has its beginning, and each follower so far has read the store."""
    await app.state.backend.hub.opened()
    await asyncio.sleep(0.1)
