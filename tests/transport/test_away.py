"""What callers see while MongoDB or the keys of tokens are away: that it is so for now, and soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import websockets
from pydantic import SecretStr

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.operations.opening import opened
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import Client
from tests.support.hanging import Hanging, hanging_mongodb
from tests.support.live_client import socket_to
from tests.support.signing_keys import RSA_KEY
from tests.support.tcp import free_port


async def closed_with(client: Client, bearer: str) -> Any:
    """The close frame that answers `connection_init`."""
    async with socket_to(str(client.http.base_url).rstrip("/"), acknowledged=False) as connection:
        await connection.send(type="connection_init", payload={"authorization": f"Bearer {bearer}"})
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await connection.receive()
    return closed.value.rcvd


async def test_a_socket_that_is_opened_while_mongodb_is_away_is_to_be_opened_again(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, key = await create_key(database, "backend", Right.READ)
    given = {"auth": "required", "mongodb_timeout": 1.0, "database_timeout": 1.0}
    with hanging_mongodb(mongodb_uri) as proxy:
        async with served_with(settings, proxy.uri, **given) as client:
            await _while_it_hangs(proxy, client, key)


async def _while_it_hangs(proxy: Hanging, client: Client, key: str) -> None:
    async with socket_to(str(client.http.base_url).rstrip("/"), bearer=key):
        proxy.hang()
    frame = await closed_with(client, key)
    assert (frame.code, "try again" in frame.reason) == (1013, True)
    response = await as_caller(client, key).http.post("/graphql", json={"query": "{ __typename }"})
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
    proxy.go_on()
    frame = await closed_with(client, f"{key[:-1]}{'a' if key[-1] != 'a' else 'b'}")
    assert (frame.code, frame.reason) == (4403, "Forbidden")


SOON = 10.0
"""Seconds: far above the 3 for which MongoDB may answer nothing, and below the 20 of reads."""
QUERY = """{ session(sessionId: "s") { messageCount } }"""
ADDED = """subscription { messageAdded(sessionId: "s") { content } }"""
ADD = """mutation { addMemory(input: {sessionId: "s", messages: [{role: "user", content: "kept"}]}) { replayed } }"""


async def code_of(client: Client, query: str, bearer: str = "") -> str:
    """The code of an operation's error."""
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    response = await client.http.post("/graphql", json={"query": query}, headers=headers, timeout=60)
    (error,) = response.json()["errors"]
    code: str = error["extensions"]["code"]
    return code


@pytest.mark.parametrize("end", [Hanging.hang, Hanging.go_away])
async def test_reads_and_sockets_are_refused_soon_while_mongodb_answers_nothing(
    settings: Settings, mongodb_uri: str, database: Database, end: Callable[[Hanging], None]
) -> None:
    _, key = await create_key(database, "backend", Right.READ)
    with hanging_mongodb(mongodb_uri) as proxy:
        async with (
            served_with(settings, proxy.uri, auth="required", jwt_secret=SecretStr(SECRET)) as client,
            socket_to(str(client.http.base_url).rstrip("/"), bearer=token()) as connection,
        ):
            as_caller(client, token())
            assert await client.data(QUERY) == {"session": None}
            end(proxy)
            started = time.monotonic()
            codes = await asyncio.gather(code_of(client, QUERY), code_of(client, QUERY), code_of(client, QUERY, key))
            assert tuple(codes) == ("UNAVAILABLE",) * 3
            assert time.monotonic() - started < SOON

            started = time.monotonic()
            frame = await closed_with(client, key)
            assert (frame.code, "try again" in frame.reason) == (1013, True)
            await connection.send(type="subscribe", id="1", payload={"query": ADDED})
            refused = await connection.receive()
            assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "UNAVAILABLE")
            response = await client.http.get("/api/v1/sessions/s/memory", timeout=60)
            assert response.status_code == 503
            assert time.monotonic() - started < SOON


async def test_a_write_waits_for_mongodb_longer_than_a_read(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    with hanging_mongodb(mongodb_uri) as proxy:
        async with served_with(settings, proxy.uri, mongodb_silence=0.4) as client:
            assert await client.data(QUERY) == {"session": None}
            proxy.hang()
            adding = asyncio.create_task(client.data(ADD))
            assert await code_of(client, QUERY) == "UNAVAILABLE"
            proxy.go_on()
            assert await adding == {"addMemory": {"replayed": False}}
            assert await client.data(QUERY) == {"session": {"messageCount": 1}}
    assert await database.messages.count_documents({}) == 1


LONG = "function() { sleep(1500); return true }"


async def test_a_long_read_goes_on_while_mongodb_answers(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    changed = settings.model_copy(update={"mongodb_silence": 0.4})
    async with opened(changed, mongodb_uri) as reading:
        await reading.users.insert_one({"_id": "ada", "uuid": "1"})  # type: ignore[typeddict-item]
        async with reading.presence.needed():
            found = await reading.users.find({"$expr": {"$function": {"body": LONG, "args": [], "lang": "js"}}})
    assert [user["_id"] for user in found] == ["ada"]


async def test_a_socket_that_is_opened_while_the_keys_are_away_is_to_be_opened_again(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    async with served_with(settings, mongodb_uri, jwt_jwks_url=f"http://127.0.0.1:{free_port()}/") as client:
        frame = await closed_with(client, token(key=RSA_KEY, algorithm="RS256", kid="one"))
        assert (frame.code, "try again" in frame.reason) == (1013, True)


@pytest.mark.parametrize("path", ["/graphql/", "/graphql/?query={__typename}", "/health/", "/api/v1/sessions/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_leads_to_the_host_that_was_sent(client: Client, path: str, method: str) -> None:
    headers = {"host": "evil.localhost", "accept": "text/html"}
    response = await client.http.request(method, path, headers=headers)
    assert "evil" not in response.headers.get("location", "")
    assert "evil" not in response.text


async def test_a_slash_at_the_end_makes_no_difference(client: Client) -> None:
    response = await client.http.post("/graphql/", json={"query": "{ __typename }"})
    assert response.json() == {"data": {"__typename": "Query"}}
    explorer = await client.http.get("/graphql/", headers={"accept": "text/html"})
    assert "<!doctype html>" in explorer.text
    address = f"ws://127.0.0.1:{client.http.base_url.port}/graphql/"
    async with websockets.connect(address, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as connection:
        await connection.send('{"type":"ping"}')
        assert await connection.recv() == '{"type":"pong"}'
