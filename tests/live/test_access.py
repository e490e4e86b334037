"""What subscribers see who are users: what is theirs, and nothing else."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.live.source import Feed
from graph.settings import Settings
from graph.store.feed.following import _STATE
from tests.support.access import SECRET, as_caller, changed, token
from tests.support.commands import Commands
from tests.support.graphql_client import Client
from tests.support.live import add, error, url, watching
from tests.support.live_client import ADDED, SESSIONS, UPDATED, socket_to

EDIT = """
mutation E($uuid: UUID!) { updateMessage(input: { uuid: $uuid, content: "edited" }) { message { uuid } } }
"""
DELETE_SESSION = "mutation D($id: ID!) { deleteSession(input: { sessionId: $id }) { deletedSessionId } }"

ADA, BOB = token("ada"), token("bob")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return changed(settings, auth="required", jwt_secret=SecretStr(SECRET))


async def test_each_user_follows_what_is_theirs(client: Client) -> None:
    await add(as_caller(client, ADA), "adas", 2)
    await add(as_caller(client, BOB), "bobs", 2)
    async with socket_to(url(client), bearer=ADA) as socket:
        assert (await error(socket, SESSIONS, {"user": "bob"}))[0] == "FORBIDDEN"
        await socket.subscribe(ADDED, {"id": "adas", "after": 0})
        assert await socket.seqs(2) == [1, 2]


async def edit_the_last(client: Client, session_id: str) -> None:
    query = "query Q($id: ID!) { session(sessionId: $id) { lastMessage { uuid } } }"
    found = await client.data(query, id=session_id)
    await client.data(EDIT, uuid=found["session"]["lastMessage"]["uuid"])


@pytest.mark.parametrize("query", [ADDED, UPDATED])
async def test_another_s_session_is_as_one_that_does_not_exist(client: Client, app: Starlette, query: str) -> None:
    await add(as_caller(client, BOB), "bobs")
    async with socket_to(url(client), bearer=ADA) as socket:
        for session_id in ("bobs", "unknown"):
            await socket.subscribe(query, {"id": session_id}, session_id)
        await watching(app, followers=2)
        await add(as_caller(client, BOB), "bobs", 3)
        await edit_the_last(client, "bobs")
        await client.data(DELETE_SESSION, id="bobs")  # it ends, and the subscription does not
        for session_id in ("unknown", "bobs"):
            await add(as_caller(client, ADA), session_id)
            await edit_the_last(client, session_id)
            first = await socket.receive()
            assert (first["id"], first["type"]) == (session_id, "next")
            (event,) = first["payload"]["data"].values()
            assert event["seq"] == 1


async def test_the_events_of_another_s_session_cause_no_reads(
    client: Client, app: Starlette, commands: Commands
) -> None:
    await add(as_caller(client, BOB), "bobs")
    async with socket_to(url(client), bearer=ADA) as adas, socket_to(url(client), bearer=BOB) as bobs:
        for socket in (adas, bobs):
            await socket.subscribe(ADDED, {"id": "bobs"})
        await watching(app, followers=2)
        looks = []
        for _ in range(2):
            with commands.recorded() as sent:
                for _ in range(5):
                    await add(client, "bobs")
                await bobs.seqs(5)
            states = [body for name, body in sent if name == "find" and body.get("projection", {}).keys() >= _STATE]
            looks.append(len(states))
        assert looks[-1] == 0


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
