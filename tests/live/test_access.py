"""What subscribers see who are users: what is theirs, and nothing else."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.live.source import Feed
from graph.settings import Settings
from tests.support.access import SECRET, as_caller, changed, token
from tests.support.graphql_client import Client
from tests.support.live import add, error, url, watching
from tests.support.live_client import ADDED, SESSIONS, UPDATED, socket_to

ADA, BOB = token("ada"), token("bob")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return changed(settings, auth="required", jwt_secret=SecretStr(SECRET))


async def test_each_user_follows_what_is_theirs(client: Client) -> None:
    await add(as_caller(client, ADA), "adas", 2)
    await add(as_caller(client, BOB), "bobs", 2)
    async with socket_to(url(client), bearer=ADA) as socket:
        for query in (ADDED, UPDATED):  # another's can't be told from one that does not exist
            told = [await error(socket, query, {"id": session_id}) for session_id in ("bobs", "unknown")]
            assert told[0] == told[1]
            assert told[0][0] == "FORBIDDEN"
        assert (await error(socket, SESSIONS, {"user": "bob"}))[0] == "FORBIDDEN"
        await socket.subscribe(ADDED, {"id": "adas", "after": 0})
        assert await socket.seqs(2) == [1, 2]


async def test_results_are_shared_within_a_user(client: Client, app: Starlette) -> None:
    await add(as_caller(client, ADA), "adas")
    async with socket_to(url(client), bearer=ADA) as ada:
        for number in ("1", "2"):
            await ada.subscribe(ADDED, {"id": "adas"}, number)
        await watching(app, followers=2)
        groups = app.state.backend.hub._feeds[Feed.ADDED]["adas"]
        assert [group.followers for group in groups.values()] == [2]


async def test_a_user_s_list_has_their_sessions(client: Client, app: Starlette) -> None:
    async with socket_to(url(client), bearer=ADA) as socket:
        await socket.subscribe(SESSIONS, {})
        await watching(app)
        await add(as_caller(client, BOB), "bobs")
        await add(as_caller(client, ADA), "adas")
        assert (await socket.data())["sessionUpdated"]["sessionId"] == "adas"
