"""Notices of who writes in a session."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.app import create_app
from graph.settings import Settings
from graph.store.database import Database
from graph.store.scope import EVERYTHING
from graph.store.sessions import delete_session
from graph.store.streams import typing_notices
from graph.store.streams.typing_notices import INTERVAL, VALIDITY
from tests.support.access import SECRET, as_caller, changed, token
from tests.support.graphql_client import Client, serving
from tests.support.live import add, error, url, watching
from tests.support.live_client import Socket, socket_to
from tests.support.untyped import untyped

SET = "mutation M($i: SetTypingInput!) { setTyping(input: $i) { accepted } }"
TYPING = "subscription S($id: ID!) { typing(sessionId: $id) { userId name typing expiresAt } }"
REVISION = 'query { session(sessionId: "s") { revision updatedAt } }'


async def notify(client: Client, **sent: Any) -> bool:
    accepted: bool = (await client.data(SET, i={"sessionId": "s", **sent}))["setTyping"]["accepted"]
    return accepted


async def notice(socket: Socket) -> tuple[str | None, str | None, bool]:
    found = (await socket.data())["typing"]
    assert found["expiresAt"]
    return found["userId"], found["name"], found["typing"]


async def test_a_notice_reaches_the_readers_of_every_process(
    client: Client, app: Starlette, mongodb_uri: str, settings: Settings
) -> None:
    await add(client, "s")
    await add(client, "other")
    before = await client.data(REVISION)
    async with serving(create_app(settings, mongodb_uri)) as writer, socket_to(url(client)) as socket:
        await socket.subscribe(TYPING, {"id": "s"})
        await watching(app)
        assert await notify(writer, sessionId="other")
        assert await notify(writer, name="bot")
        assert await notify(client, name="another")
        assert await notice(socket) == (None, "bot", True)
        assert await notice(socket) == (None, "another", True)
        await asyncio.sleep(INTERVAL.total_seconds() + 0.1)
        assert await notify(client, name="bot", typing=False)
        assert await notice(socket) == (None, "bot", False)
    assert await client.data(REVISION) == before


async def test_of_many_notices_within_the_interval_one_goes_out(
    client: Client, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typing_notices, "INTERVAL", timedelta(minutes=1))  # however slow the machine is
    await add(client, "s")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(TYPING, {"id": "s"})
        await watching(app)
        accepted = await asyncio.gather(*(notify(client, name="bot") for _ in range(20)))
        assert sum(accepted) == 1
        assert await notice(socket) == (None, "bot", True)
        monkeypatch.setattr(typing_notices, "INTERVAL", timedelta(0))
        assert await notify(client, name="bot", typing=False)
        assert await notice(socket) == (None, "bot", False)


async def test_an_end_user_has_one_notice_in_each_of_their_own_sessions(
    settings: Settings, mongodb_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typing_notices, "INTERVAL", timedelta(minutes=1))
    app = create_app(changed(settings, jwt_secret=SecretStr(SECRET)), mongodb_uri)
    async with serving(app) as client:
        create = 'mutation { createSession(input: { sessionId: "s" }) { session { uuid } } }'
        await as_caller(client, token("bob")).data(create)
        async with socket_to(url(client), bearer=token("bob")) as socket:
            await socket.subscribe(TYPING, {"id": "s"})
            await watching(app)
            assert (await as_caller(client, token("ann")).error(SET, i={"sessionId": "s"}))["code"] == "NOT_FOUND"
            as_caller(client, token("bob"))
            assert [await notify(client, name="one"), await notify(client, name="two")] == [True, False]
            assert await notice(socket) == ("bob", "one", True)
        async with socket_to(url(client), bearer=token("ann")) as socket:
            # As for a session that does not exist: neither an error nor a notice comes.
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(error(socket, TYPING, {"id": "s"}), 1)


async def test_wrong_notices_are_refused(client: Client) -> None:
    assert (await client.error(SET, i={"sessionId": "unknown"}))["code"] == "NOT_FOUND"
    await add(client, "s")
    for sent in ({"sessionId": ""}, {"sessionId": "s", "name": "x" * 257}):
        assert (await client.error(SET, i=sent))["code"] == "BAD_USER_INPUT"


async def test_notices_go_with_the_session_and_by_themselves(
    client: Client, app: Starlette, database: Database
) -> None:
    await add(client, "s")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(TYPING, {"id": "s"})
        await watching(app)
        assert await notify(client)
        assert await notice(socket) == (None, None, True)
        (stored,) = await database.typing.find()
        assert stored["expiresAt"] - stored["at"] == VALIDITY
        indexes = await untyped(database, "typing").index_information()
        assert [one["expireAfterSeconds"] for one in indexes.values() if "expireAfterSeconds" in one] == [0]
        await delete_session(database, EVERYTHING, "s")
        assert (await socket.receive())["type"] == "complete"
    assert await database.typing.find() == []
