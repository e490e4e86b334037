"""Subscribers that come back with the revision of their last update."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette

from graph.store.database import Database
from graph.store.documents import now
from graph.store.editing.edits import delete_message
from graph.store.scope import EVERYTHING
from graph.store.sessions import delete_contents
from tests.support.graphql_client import Client
from tests.support.live import add, error, url, watching
from tests.support.live_client import Socket, socket_to

CHANGED = """subscription S($id: ID!, $since: Int) { messageUpdated(sessionId: $id, sinceRevision: $since) {
  kind seq revision message { content } } }"""
LIST = """subscription S($user: ID, $since: String) { sessionUpdated(userId: $user, sinceRevision: $since) {
  kind sessionId revision session { updatedAt } } }"""
EDIT = "mutation M($input: UpdateMessageInput!) { updateMessage(input: $input) { message { revision } } }"
DELETE = "mutation M($input: DeleteMessageInput!) { deleteMessage(input: $input) { __typename } }"
REPLACE = "mutation M($input: ReplaceFromInput!) { replaceFrom(input: $input) { session { revision } } }"
DELETE_SESSION = "mutation M($input: DeleteSessionInput!) { deleteSession(input: $input) { __typename } }"
SESSION = "query Q($id: ID!) { session(sessionId: $id) { revision updatedAt } }"


async def messages_of(database: Database, session_id: str) -> list[Any]:
    return await database.messages.find({"sessionId": session_id}, sort=[("seq", 1)])


async def edit(client: Client, message: Any, content: str) -> None:
    await client.data(EDIT, input={"uuid": message["_id"], "content": content})


async def updates(socket: Socket, count: int) -> list[Any]:
    return [(await socket.data())["messageUpdated"] for _ in range(count)]


def brief(found: list[Any]) -> list[tuple[Any, ...]]:
    return [(update["kind"], update["seq"], (update["message"] or {}).get("content")) for update in found]


async def test_changes_made_while_away_come_once_and_in_order(client: Client, database: Database) -> None:
    await add(client, "s", 5)
    first, second, third, *_ = await messages_of(database, "s")
    await edit(client, first, "seen")
    revision = (await client.data(SESSION, id="s"))["session"]["revision"]
    await edit(client, second, "two")
    await client.data(DELETE, input={"uuid": third["_id"]})
    await edit(client, first, "one")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(CHANGED, {"id": "s", "since": revision})
        found = await updates(socket, 3)
        assert brief(found) == [("EDITED", 2, "two"), ("DELETED", 3, None), ("EDITED", 1, "one")]
        assert [update["revision"] for update in found] == [revision + 1, revision + 2, revision + 3]
        await edit(client, second, "live")
        (live,) = await updates(socket, 1)
        assert brief([live]) == [("EDITED", 2, "live")]
        assert live["revision"] == revision + 4
    await edit(client, first, "last")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(CHANGED, {"id": "s", "since": live["revision"]})
        assert brief(await updates(socket, 1)) == [("EDITED", 1, "last")]


async def test_a_cut_between_the_changes_of_one_mutation_loses_none(client: Client, database: Database) -> None:
    await add(client, "s", 4)
    await client.data(REPLACE, input={"sessionId": "s", "seq": 2, "messages": [{"role": "human", "content": "x"}]})
    gone = {("DELETED", seq, None) for seq in (2, 3, 4)}
    async with socket_to(url(client)) as socket:
        await socket.subscribe(CHANGED, {"id": "s", "since": 1})
        (cut,) = await updates(socket, 1)
    async with socket_to(url(client)) as socket:
        await socket.subscribe(CHANGED, {"id": "s", "since": cut["revision"]})
        assert set(brief(await updates(socket, 3))) == gone
    assert await database.deletions.count_documents({"content": {"$exists": True}}) == 0


async def test_live_changes_carry_revisions_in_the_order_of_the_commits(
    client: Client, app: Starlette, database: Database
) -> None:
    await add(client, "s", 4)
    messages = await messages_of(database, "s")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(CHANGED, {"id": "s"})
        await watching(app)
        for message in messages[:3]:
            await edit(client, message, "edited")
            await client.data(DELETE, input={"uuid": message["_id"]})
        await edit(client, messages[3], "end")
        found: list[Any] = []
        while not found or found[-1]["seq"] != 4:
            found += await updates(socket, 1)
    revisions = [update["revision"] for update in found]
    assert revisions == sorted(revisions)
    assert revisions[-1] == 8
    assert {update["seq"] for update in found if update["kind"] == "DELETED"} == {1, 2, 3}


async def test_an_enrichment_that_ended_while_away_comes(client: Client, database: Database) -> None:
    await add(client, "s", 2)
    await database.messages.update_one({"seq": 2}, {"$set": {"enrichment": {"state": "DONE", "at": now()}}})
    await add(client, "s")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(CHANGED, {"id": "s", "since": 1})
        assert [(update["kind"], update["seq"]) for update in await updates(socket, 1)] == [("ENRICHED", 2)]


async def test_all_contents_deleted_while_away_are_one_update(client: Client, database: Database) -> None:
    await add(client, "s", 3)
    await delete_contents(database, EVERYTHING, "s")
    await add(client, "s")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(CHANGED, {"id": "s", "since": 1})
        assert brief(await updates(socket, 1)) == [("CLEARED", 3, None)]


async def test_catch_up_has_no_cap(client: Client, database: Database) -> None:
    for _ in range(2):
        await add(client, "s", 800)
    await database.messages.update_many({"seq": {"$gt": 5}}, {"$set": {"editedAt": now(), "sessionRevision": 3}})
    await database.sessions.update_one({"_id": "s"}, {"$set": {"revision": 3}})
    for message in (await messages_of(database, "s"))[:5]:
        await delete_message(database, EVERYTHING, message["_id"])
    async with socket_to(url(client)) as socket:
        await socket.subscribe(CHANGED, {"id": "s", "since": 2})
        found = await updates(socket, 1_600)
    assert [update["seq"] for update in found] == [*range(6, 1_601), *range(1, 6)]
    assert found[-1]["revision"] == 8


async def test_a_list_gets_what_changed_and_what_was_deleted_while_away(client: Client, app: Starlette) -> None:
    for name in ("kept", "gone", "other"):
        await add(client, name, userId="ada" if name != "other" else "bob")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(LIST, {"user": "ada"})
        await watching(app)
        await add(client, "kept")
        seen = (await socket.data())["sessionUpdated"]
    await client.data(DELETE_SESSION, input={"sessionId": "gone"})
    await client.data(DELETE_SESSION, input={"sessionId": "other"})
    await add(client, "new", userId="ada")
    for since in (seen["revision"], seen["session"]["updatedAt"]):
        async with socket_to(url(client)) as socket:
            await socket.subscribe(LIST, {"user": "ada", "since": since})
            kinds: dict[str, str] = {}
            while not kinds.keys() >= {"gone", "new"}:
                update = (await socket.data())["sessionUpdated"]
                kinds[update["sessionId"]] = update["kind"]
            assert (kinds["gone"], kinds["new"]) == ("DELETED", "CREATED")
            assert "other" not in kinds


@pytest.mark.parametrize(
    ("query", "variables", "said"),
    [
        (CHANGED, {"id": "s", "since": -1}, "sinceRevision must be 0 or more, not -1"),
        (CHANGED, {"id": "s", "since": 9}, "sinceRevision is 9, and the session has revision 1"),
        (LIST, {"since": "yesterday"}, "sinceRevision must be the revision of a SessionUpdate"),
        (LIST, {"since": "2026-01-01T00:00:00"}, "sinceRevision must be the revision of a SessionUpdate"),
    ],
)
async def test_a_revision_that_is_none_is_refused(
    client: Client, query: str, variables: dict[str, Any], said: str
) -> None:
    await add(client, "s")
    async with socket_to(url(client)) as socket:
        code, message = await error(socket, query, variables)
    assert code == "BAD_USER_INPUT"
    assert message.startswith(said)
