"""Work that nobody waits for any more ends: in the service, and in MongoDB."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from graph.settings import Settings
from graph.store.database import Database
from graph.store.driver.client import time_limit
from tests.support.access import served_with
from tests.support.driver import DRIVER
from tests.support.graphql_client import Client
from tests.support.live_client import socket_to

STEP = 0.05  # seconds
QUERY = '{ session(sessionId: "s") { uuid } }'


async def slow_down(database: Database, seconds: float) -> None:
    """Make it take so long to read a session, from now on.

    The read takes many short steps. MongoDB looks between two steps whether its client is still there, and not within
    one call of JavaScript.
    """
    mongo = database.client[database.name]
    steps = int(seconds / STEP)
    await mongo.drop_collection("sessions")
    await mongo["stored"].insert_many([{"_id": number, "name": "s", "uuid": "u"} for number in range(steps)])
    slowly = {
        "body": f"function(number) {{ sleep({int(STEP * 1000)}); return number == {steps - 1}; }}",
        "args": ["$_id"],
        "lang": "js",
    }
    pipeline: list[dict[str, Any]] = [{"$match": {"$expr": {"$function": slowly}}}, {"$set": {"_id": "$name"}}]
    await mongo.command("create", "sessions", viewOn="stored", pipeline=pipeline)


async def running(database: Database) -> list[dict[str, Any]]:
    """What MongoDB does in the test's database."""
    found = (await database.client.admin.command({"currentOp": 1, "active": True}))["inprog"]
    return [item for item in found if item.get("ns") in (f"{database.name}.sessions", f"{database.name}.stored")]


async def until(database: Database, count: int, seconds: float = 45) -> list[dict[str, Any]]:
    """Wait until so many operations run in MongoDB; what they are."""
    found = []
    for _ in range(int(seconds / 0.05)):
        found = await running(database)
        if len(found) == count:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])  # multipart is for subscriptions alone
@pytest.mark.parametrize("query", [QUERY, '{ memory(sessionId: "s") { messages(last: 2) { uuid } } }'])
async def test_a_client_of_http_that_goes_away_ends_its_query_in_mongodb(
    database: Database, client: Client, accept: str, query: str
) -> None:
    await slow_down(database, 100)
    asking = asyncio.ensure_future(client.http.post("/graphql", json={"query": query}, headers={"accept": accept}))
    await until(database, 1)
    asking.cancel()
    await until(database, 0)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_client_of_zeps_routes_that_goes_away_ends_its_query_in_mongodb(
    database: Database, client: Client, method: str
) -> None:
    await slow_down(database, 100)
    path = "/api/v1/sessions/s" if method == "GET" else "/api/v1/sessions/s/search"
    body = None if method == "GET" else {"text": "anything"}
    asking = asyncio.ensure_future(client.http.request(method, path, json=body))
    await until(database, 1)
    asking.cancel()
    await until(database, 0)


async def test_a_client_of_a_websocket_that_goes_away_or_stops_ends_its_query_in_mongodb(
    database: Database, client: Client
) -> None:
    await slow_down(database, 100)
    async with socket_to(str(client.http.base_url).rstrip("/")) as socket:
        await socket.subscribe(QUERY, {})
        await until(database, 1)
        await socket.send(id="1", type="complete")
        await until(database, 0)
        await socket.subscribe(QUERY, {}, "2")
        await until(database, 1)
    await until(database, 0)


@pytest.mark.slow
async def test_one_that_goes_away_ends_nobody_elses_query(database: Database, client: Client) -> None:
    await slow_down(database, 10)
    asking = [asyncio.ensure_future(client.send(QUERY + " " * number)) for number in range(3)]
    await until(database, 3)
    asking[0].cancel()
    await until(database, 2)
    assert [await answer for answer in asking[1:]] == [{"data": {"session": {"uuid": "u"}}}] * 2


@pytest.mark.skipif(DRIVER == "pymongo", reason="PyMongo looks up addresses on asyncio's own threads")
async def test_a_query_ends_in_mongodb_while_asyncios_own_threads_are_taken(database: Database) -> None:
    async def ask() -> None:
        with time_limit(100):
            await database.sessions.find_one({"_id": "s"})

    await slow_down(database, 100)
    release = threading.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    busy = asyncio.ensure_future(asyncio.to_thread(release.wait))
    try:
        asking = asyncio.ensure_future(ask())
        await until(database, 1)
        asking.cancel()
        await until(database, 0)
    finally:
        release.set()
        await busy


async def test_a_query_that_is_given_up_ends_in_mongodb(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    async with served_with(settings, mongodb_uri, operation_timeout=3.0) as client:
        await slow_down(database, 100)
        asking = asyncio.ensure_future(client.send(QUERY))
        await until(database, 1)
        assert (await asking)["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        await until(database, 0)
        assert (await client.http.get("/api/v1/sessions/s")).status_code == 503
        await until(database, 0)


async def test_mongodb_is_told_how_long_a_query_may_take(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    async with served_with(settings, mongodb_uri, database_timeout=3.0) as client:
        await slow_down(database, 100)
        asking = asyncio.ensure_future(client.send(QUERY))
        (operation,) = await until(database, 1)
        assert 0 < operation["command"]["maxTimeMS"] <= 3_000
        assert (await asking)["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_the_time_outs_can_be_switched_off(settings: Settings, mongodb_uri: str, database: Database) -> None:
    off = dict.fromkeys(("request_timeout", "operation_timeout", "database_timeout"), 0.0)
    async with served_with(settings, mongodb_uri, **off) as client:
        await slow_down(database, 2)

        async def body() -> AsyncIterator[bytes]:
            yield b'{"query": '
            await asyncio.sleep(1)
            yield json.dumps(QUERY).encode() + b"}"

        headers = {"content-type": "application/json"}
        response = await client.http.post("/graphql", content=body(), headers=headers)
        assert response.json() == {"data": {"session": {"uuid": "u"}}}
