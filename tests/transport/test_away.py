"""What callers see while MongoDB or the keys of tokens are away: that it is so for now, and soon."""

from __future__ import annotations

import time
from typing import Any

import pytest
import websockets

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import as_caller, served_with, token
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


async def test_a_socket_that_is_opened_while_the_keys_are_away_is_to_be_opened_again(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    async with served_with(settings, mongodb_uri, jwt_jwks_url=f"http://127.0.0.1:{free_port()}/") as client:
        frame = await closed_with(client, token(key=RSA_KEY, algorithm="RS256", kid="one"))
        assert (frame.code, "try again" in frame.reason) == (1013, True)


async def test_the_health_of_a_mongodb_that_hangs_is_known_soon(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    with hanging_mongodb(mongodb_uri) as proxy:
        async with served_with(settings, proxy.uri) as client:
            assert (await client.http.get("/health")).status_code == 200
            proxy.hang()
            for _ in range(2):  # on a connection of before, and on a new one
                started = time.monotonic()
                response = await client.http.get("/health")
                assert response.status_code == 503
                assert "MongoDB" in response.text
                assert time.monotonic() - started < 15  # 1.5 seconds on an idle machine, 20 and more without a limit
            proxy.go_on()


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
