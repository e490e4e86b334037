"""Sessions that expire: as deleted from that moment on, on every path, before anything of them is erased."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from graph.app import create_app
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from graph.store.jobs import expiry
from tests.support.contents import exported
from tests.support.expiring import expire, read_names, stored
from tests.support.graphql_client import ADD, Client, serving
from tests.support.live import add, url, watching
from tests.support.live_client import SESSIONS, socket_to
from tests.support.untyped import untyped

CREATE = "mutation($i: CreateSessionInput!) { createSession(input: $i) { session { uuid expiresAt revision } } }"
UPDATE = "mutation($i: UpdateSessionInput!) { updateSession(input: $i) { session { expiresAt revision } } }"
IN = timedelta(hours=1)
SAID = [{"role": "human", "content": "Octavia Butler wrote Kindred in Pasadena."}]
READ = """query($s: ID!, $ids: [ID!]!, $uuid: UUID!, $u: ID!) {
  session(sessionId: $s) { uuid } memory(sessionId: $s) { uuid } message(uuid: $uuid) { uuid } nodes(ids: $ids) { id }
  sessions { totalCount edges { node { sessionId } } }
  byUser: sessions(filter: { userId: $u }) { totalCount edges { node { sessionId } } }
  search(query: "Kindred") { edges { node { seq } } }
  ofUser: search(query: "Kindred", userId: $u) { edges { node { seq } } }
  context(query: "Kindred", userId: $u, maxTokens: 500) { text }
  user(userId: $u) { sessions { edges { node { sessionId } } } search(query: "Kindred") { edges { node { seq } } }
    entities { edges { node { name mentionCount } } } } }"""
CHANGES = {
    "updateSession": 'sessionId: "s", title: "x"',
    "deleteSession": 'sessionId: "s"',
    "deleteMemory": 'sessionId: "s"',
    "popMessage": 'sessionId: "s"',
    "replaceFrom": 'sessionId: "s", seq: 1, messages: [{ role: "human", content: "x" }]',
    "updateMessage": 'uuid: "{uuid}", content: "x"',
    "deleteMessage": 'uuid: "{uuid}"',
}


@pytest.fixture
def _unswept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker erases what has expired, so that it is there and has to be hidden."""

    async def nothing(_database: Database) -> int:
        return 0

    monkeypatch.setattr(expiry, "run_pending", nothing)


unswept = pytest.mark.usefixtures("_unswept")


def soon(seconds: float) -> str:
    return (now() + timedelta(seconds=seconds)).isoformat()


async def test_the_expiry_of_a_session_is_set_changed_and_removed(client: Client) -> None:
    at = now() + IN
    made = (await client.data(CREATE, i={"sessionId": "s", "expiresAt": at.isoformat()}))["createSession"]["session"]
    assert (datetime.fromisoformat(made["expiresAt"]), made["revision"]) == (at, 1)
    steps: list[tuple[dict[str, Any], datetime | None, int]] = [
        ({"expiresAt": at.isoformat()}, at, 1),
        ({"title": "x"}, at, 2),
        ({"expiresAt": (at + IN).isoformat()}, at + IN, 3),
        ({"expiresAt": None}, None, 4),
        ({"expiresAt": None}, None, 4),
        ({"expiresAt": at.isoformat(), "title": "y"}, at, 5),
    ]
    for change, expected, revision in steps:
        session = (await client.data(UPDATE, i={"sessionId": "s", **change}))["updateSession"]["session"]
        given = session["expiresAt"]
        assert (given and datetime.fromisoformat(given), session["revision"]) == (expected, revision), change


async def test_a_fork_expires_with_its_source(client: Client) -> None:
    at = now() + IN
    await client.data(CREATE, i={"sessionId": "s", "expiresAt": at.isoformat()})
    await client.data(ADD, input={"sessionId": "s", "messages": SAID})
    forked = await client.data(
        """mutation { forkSession(input: { sessionId: "s", throughSeq: 1, newSessionId: "t" }) {
             session { expiresAt } } }"""
    )
    assert datetime.fromisoformat(forked["forkSession"]["session"]["expiresAt"]) == at


async def test_a_time_that_has_passed_is_refused(client: Client) -> None:
    await client.data(CREATE, i={"sessionId": "s"})
    for query, session_id in ((CREATE, "t"), (UPDATE, "s")):
        error = await client.error(query, i={"sessionId": session_id, "expiresAt": "2026-01-31T12:00:00Z"})
        assert error["code"] == "BAD_USER_INPUT"
        assert error["message"].startswith("expiresAt is 2026-01-31T12:00:00+00:00, which has passed: send a time")
    found = await client.data('{ s: session(sessionId: "s") { expiresAt } t: session(sessionId: "t") { uuid } }')
    assert found == {"s": {"expiresAt": None}, "t": None}


@unswept
async def test_an_expired_session_is_unseen_on_every_path(client: Client, database: Database) -> None:
    await client.data(ADD, input={"sessionId": "kept", "userId": "ann", "messages": SAID})
    added = await client.data(ADD, input={"sessionId": "s", "userId": "ann", "messages": SAID * 2})
    await read_names(database)
    uuid = added["addMemory"]["memory"]["messages"][0]["uuid"]
    ids = await client.data(
        """{ session(sessionId: "s") { id memory { id entities { id } } messages { edges { node { id } } } } }"""
    )
    session = ids["session"]
    every = [session["id"], session["memory"]["id"], session["messages"]["edges"][0]["node"]["id"]]
    every += [entity["id"] for entity in session["memory"]["entities"]]
    asked = {"s": "s", "uuid": uuid, "ids": every, "u": "ann"}
    before = await client.data(READ, **asked)
    assert len(before["search"]["edges"]) == len(before["ofUser"]["edges"]) == 3
    assert {edge["node"]["mentionCount"] for edge in before["user"]["entities"]["edges"]} >= {3}
    await expire(database, "s")
    for name, arguments in CHANGES.items():
        sent = arguments.replace("{uuid}", uuid)
        error = await client.error(f"mutation {{ {name}(input: {{ {sent} }}) {{ __typename }} }}")
        assert error["code"] == "NOT_FOUND", name
    assert (await stored(database, "s"))["messages"] == 2
    assert b"Pasadena" in (file := await exported(database))
    assert b'"sessionId":"s"' not in file
    assert (await client.http.get("/api/v1/sessions/s")).status_code == 404
    assert (await client.http.get("/api/v1/sessions/s/memory")).status_code == 404
    after = await client.data(READ, **asked)
    assert {name: after[name] for name in ("session", "memory", "message")} == dict.fromkeys(
        ("session", "memory", "message")
    )
    assert set(map(str, after["nodes"])) == {"None"}
    kept = [{"node": {"sessionId": "kept"}}]
    assert after["sessions"] == after["byUser"] == {"totalCount": 1, "edges": kept}
    assert after["user"]["sessions"]["edges"] == kept
    found = [after["search"], after["ofUser"], after["user"]["search"]]
    assert [one["edges"] for one in found] == [[{"node": {"seq": 1}}]] * 3
    assert after["context"]["text"].count("Pasadena") == 1
    assert {edge["node"]["mentionCount"] for edge in after["user"]["entities"]["edges"]} == {1}


@unswept
async def test_the_retention_counts_from_the_last_change(
    mongodb_uri: str, settings: Settings, database: Database
) -> None:
    async with serving(create_app(settings.model_copy(update={"retention_days": 2.0}), mongodb_uri)) as client:
        for session_id in ("old", "recent"):
            await client.data(ADD, input={"sessionId": session_id, "messages": SAID})
        for session_id, days in (("old", 2), ("recent", 1.99)):
            at = now() - timedelta(days=days)
            await untyped(database, "sessions").update_one({"_id": session_id}, {"$set": {"updatedAt": at}})
        found = await client.data("{ sessions { totalCount edges { node { sessionId } } } }")
        assert found["sessions"] == {"totalCount": 1, "edges": [{"node": {"sessionId": "recent"}}]}
        added = await client.data(ADD, input={"sessionId": "old", "messages": SAID})
        assert added["addMemory"]["session"]["messageCount"] == 1
        found = await client.data("{ sessions { totalCount } }")
        assert found["sessions"]["totalCount"] == 2


@unswept
@pytest.mark.parametrize("messages", [3, 1_500])
@pytest.mark.parametrize("again", ["addMemory", "idempotencyKey", "uuid", "uuid elsewhere", "createSession"])
async def test_the_id_of_an_expired_session_is_that_of_a_new_one(
    client: Client, database: Database, again: str, messages: int
) -> None:
    uuid = "123e4567-e89b-12d3-a456-426614174000"
    for first in range(0, messages, 750):
        said = [
            {"role": "human", "content": f"message {number}"} for number in range(first, min(messages, first + 750))
        ]
        said[0] |= {"uuid": uuid} if first == 0 else {}
        key = f"key {first}"
        await client.data(ADD, input={"sessionId": "s", "userId": "ann", "idempotencyKey": key, "messages": said})
    old = (await client.data('{ session(sessionId: "s") { uuid } }'))["session"]["uuid"]
    await expire(database, "s")
    session_id = "t" if again == "uuid elsewhere" else "s"
    if again == "createSession":
        await client.data(CREATE, i={"sessionId": session_id})
    else:
        more = {"idempotencyKey": "key 0"} if again == "idempotencyKey" else {}
        said = [{"role": "human", "content": "new"} | ({"uuid": uuid} if again.startswith("uuid") else {})]
        added = await client.data(ADD, input={"sessionId": session_id, "messages": said, **more})
        assert not added["addMemory"]["replayed"]
        assert [message["seq"] for message in added["addMemory"]["memory"]["messages"]] == [1]
    found = await client.data(
        "query($s: ID!) { session(sessionId: $s) { uuid messageCount expiresAt user { userId } } }", s=session_id
    )
    assert found["session"].pop("uuid") != old
    count = 0 if again == "createSession" else 1
    assert found["session"] == {"messageCount": count, "expiresAt": None, "user": None}
    assert (await stored(database, "s"))["messages"] == (0 if session_id == "t" else count)


async def test_a_session_goes_at_its_time_and_its_subscribers_learn_of_it(
    client: Client, app: Starlette, database: Database
) -> None:
    await add(client, "s", 2, userId="ann")
    await add(client, "kept", 1, userId="ann")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(SESSIONS, {"user": "ann"})
        await watching(app)
        await client.data(UPDATE, i={"sessionId": "s", "expiresAt": soon(2)})
        kinds = []
        async with asyncio.timeout(60):
            while "DELETED" not in kinds:
                update = (await socket.data())["sessionUpdated"]
                kinds += [update["kind"]] if update["sessionId"] == "s" else []
    assert kinds == ["CHANGED", "DELETED"]
    assert await stored(database, "s") == dict.fromkeys(await stored(database, "s"), 0)
    assert (await client.data("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 1
