"""A revoked service key ends what goes on with it, on every process and every transport."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.applications import Starlette

from graph.access import standing
from graph.access.caller import Right
from graph.access.keys import create_key, revoke_key
from graph.app import create_app
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import as_caller, changed
from tests.support.graphql_client import ADD, serving
from tests.support.live import add, error, url, watching
from tests.support.live_client import ADDED, SESSIONS, UPDATED, socket_to
from tests.support.streams import EVENTS, MULTIPART, streaming, until

SECONDS = 5.0
"""In which a revocation takes effect: the promise."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return changed(settings, auth="required", keep_alive=0.5)


@pytest.mark.parametrize("how", ["revoked", "deleted"])
async def test_subscriptions_end_on_every_process(
    settings: Settings, mongodb_uri: str, database: Database, how: str
) -> None:
    _, text = await create_key(database, "the backend", Right.WRITE)
    _, other = await create_key(database, "another", Right.WRITE)
    apps = [create_app(settings, mongodb_uri) for _ in range(2)]
    async with AsyncExitStack() as stack:
        clients = [as_caller(await stack.enter_async_context(serving(app)), text) for app in apps]
        await add(clients[0], "s")
        sockets = [await stack.enter_async_context(socket_to(url(client), bearer=text)) for client in clients]
        spared = await stack.enter_async_context(socket_to(url(clients[0]), bearer=other))
        for socket in sockets:
            await socket.subscribe(ADDED, {"id": "s"}, "added")
            await socket.subscribe(UPDATED, {"id": "s"}, "updated")
            await socket.subscribe(SESSIONS, {}, "sessions")
        await spared.subscribe(ADDED, {"id": "s"})
        streams = [
            (await stack.enter_async_context(streaming(client, headers, id="s")))[1]
            for client in clients
            for headers in (EVENTS, MULTIPART)
        ]
        for app, followers in zip(apps, (6, 5), strict=True):
            await watching(app, followers=followers)
        begun = time.monotonic()
        if how == "revoked":
            await revoke_key(database, "the backend")
        else:
            await database.service_keys.delete_one({"name": "the backend"})
        for socket in sockets:
            ended = {}
            for _ in range(3):
                message = await socket.receive()
                assert message["type"] == "error"
                (only,) = message["payload"]
                ended[message["id"]] = only
            assert set(ended) == {"added", "updated", "sessions"}
            assert {one["extensions"]["code"] for one in ended.values()} == {"UNAUTHENTICATED"}
            assert "revoked" in ended["added"]["message"]
        for stream in streams:
            assert "UNAUTHENTICATED" in await until(stream, "UNAUTHENTICATED")
        assert standing._LOOK_EVERY <= SECONDS / 2
        assert time.monotonic() - begun < 4 * SECONDS  # with room for a machine with much else to do
        await add(as_caller(clients[1], other), "s")
        assert await spared.seqs(1) == [2]


async def test_each_operation_of_an_open_socket_is_looked_at(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, text = await create_key(database, "the backend", Right.WRITE)
    operations: list[tuple[str, dict[str, Any]]] = [
        ("{ __typename }", {}),
        (ADD, {"input": {"sessionId": "s", "messages": [{"role": "human", "content": "too late"}]}}),
        (ADDED, {"id": "s"}),
    ]
    async with serving(create_app(settings, mongodb_uri)) as client, socket_to(url(client), bearer=text) as socket:
        await socket.subscribe("{ __typename }", {})
        assert await socket.data() == {"__typename": "Query"}
        assert (await socket.receive())["type"] == "complete"
        await revoke_key(database, "the backend")
        for query, variables in operations:
            code, message = await error(socket, query, variables)
            assert code == "UNAUTHENTICATED"
            assert "revoked" in message
    assert await database.sessions.count_documents({}) == 0


async def test_nobody_looks_at_keys_while_nobody_follows(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, text = await create_key(database, "the backend", Right.READ)
    app: Starlette = create_app(settings, mongodb_uri)
    async with serving(app) as client:
        async with socket_to(url(client), bearer=text) as socket:
            await socket.subscribe(ADDED, {"id": "s"})
            await watching(app)
            looked_at = app.state.guards.standing
            assert not looked_at._looking.done()
        async with asyncio.timeout(30):
            await looked_at._looking
        assert looked_at._ends == {}
