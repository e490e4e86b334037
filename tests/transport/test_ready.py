"""`/ready` says whether a process can serve requests, and `/health` that it is alive."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.applications import Starlette

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import served_with
from tests.support.graphql_client import Client, serving
from tests.support.hanging import hanging_mongodb
from tests.support.live_client import socket_to
from tests.support.untyped import untyped

ADDED = """subscription { messageAdded(sessionId: "s") { content } }"""
ADD = """mutation { addMemory(input: {sessionId: "s", messages: [{role: "user", content: "x"}]}) { replayed } }"""
LONGEST = 2.0 * 5
"""Seconds: five times the promise, since other tests share the machine."""


async def ready(client: Client) -> tuple[int, dict[str, str]]:
    response = await client.http.get("/ready")
    answer: dict[str, Any] = response.json()
    assert answer["ready"] is (response.status_code == 200)
    assert answer["ready"] is not bool(answer["reasons"])
    return response.status_code, answer["reasons"]


async def until_ready(client: Client, *, reason: str | None) -> dict[str, str]:
    async with asyncio.timeout(30):
        while True:
            _, reasons = await ready(client)
            if (reason in reasons) if reason else not reasons:
                return reasons
            await asyncio.sleep(0.2)


async def test_a_process_with_its_mongodb_is_ready(client: Client) -> None:
    assert await ready(client) == (200, {})
    assert (await client.http.get("/health")).text == "ok"


async def test_a_process_whose_mongodb_hangs_is_alive_and_not_ready_and_says_so_soon(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    with hanging_mongodb(mongodb_uri) as proxy:
        async with served_with(settings, proxy.uri) as client:
            assert await ready(client) == (200, {})
            proxy.hang()
            await asyncio.sleep(1.1)  # for the last result
            for _ in range(2):  # on a connection of before, and on a new one
                started = time.monotonic()
                status, reasons = await ready(client)
                assert time.monotonic() - started < LONGEST
                assert (status, list(reasons)) == (503, ["mongodb"])
                assert (await client.http.get("/health")).status_code == 200
            proxy.go_on()
            await until_ready(client, reason=None)


async def test_a_process_without_an_index_is_not_ready_until_it_is_there(client: Client, database: Database) -> None:
    await untyped(database, "erasures").drop_index("dueAt_1")
    status, reasons = await ready(client)
    assert (status, list(reasons)) == (503, ["indexes"])
    assert "erasures.dueAt_1" in reasons["indexes"]
    await untyped(database, "erasures").create_index("dueAt")
    await until_ready(client, reason=None)


async def test_a_process_that_follows_no_changes_for_its_subscribers_is_not_ready(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    with hanging_mongodb(mongodb_uri) as proxy:
        async with (
            served_with(settings, proxy.uri) as client,
            socket_to(str(client.http.base_url).rstrip("/")) as socket,
        ):
            await client.data(ADD)  # a session to subscribe to
            await socket.subscribe(ADDED, {})
            await asyncio.sleep(6)  # longer than the silence that is allowed: MongoDB answers each second
            assert await ready(client) == (200, {})
            await client.data(ADD)
            assert (await socket.receive())["type"] == "next"
            proxy.hang()
            reasons = await until_ready(client, reason="changeStream")
            assert "subscribers" in reasons["changeStream"]
            proxy.go_on()
            await until_ready(client, reason=None)


async def test_a_process_that_drains_is_not_ready(app: Starlette) -> None:
    async with serving(app) as client:
        assert await ready(client) == (200, {})
        app.state.backend.hub.drain()
        status, reasons = await ready(client)
        assert (status, list(reasons)) == (503, ["draining"])
        assert (await client.http.get("/health")).status_code == 200


async def test_all_who_ask_at_once_cause_one_look(client: Client, commands: Any) -> None:
    await asyncio.sleep(1.1)
    with commands.recorded() as sent:
        answers = await asyncio.gather(*(ready(client) for _ in range(50)))
    assert answers == [(200, {})] * 50
    assert len([name for name, _ in sent if name == "listIndexes"]) <= 30
