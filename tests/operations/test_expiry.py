"""Sessions that expire: as deleted from that moment on, on every path, before anything of them is erased."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.app import create_app
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from graph.store.jobs import expiry, retention
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.contents import exported, imported
from tests.support.expiring import expire, read_names, stored
from tests.support.graphql_client import ADD, Client, serving
from tests.support.live import add, url, watching
from tests.support.live_client import SESSIONS, socket_to
from tests.support.untyped import untyped

CREATE = "mutation($i: CreateSessionInput!) { createSession(input: $i) { session { uuid expiresAt revision } } }"
UPDATE = "mutation($i: UpdateSessionInput!) { updateSession(input: $i) { session { expiresAt revision } } }"
ADDED = "mutation($i: AddMemoryInput!) { addMemory(input: $i) { replayed session { expiresAt revision } } }"
RETAIN = "mutation($i: UpdateUserInput!) { updateUser(input: $i) { user { retentionDays } } }"
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


async def unchanged_for(database: Database, days: float, *session_ids: str) -> None:
    """Make sessions old, as if nothing had changed them for this time."""
    at = now() - timedelta(days=days)
    await untyped(database, "sessions").update_many({"_id": {"$in": list(session_ids)}}, {"$set": {"updatedAt": at}})


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


async def test_messages_set_the_expiry_of_their_session(client: Client) -> None:
    at = now() + IN
    steps: list[tuple[dict[str, Any], datetime | None, int]] = [
        ({"expiresAt": at.isoformat(), "idempotencyKey": "first"}, at, 1),
        ({}, at, 2),
        ({"expiresAt": (at + IN).isoformat()}, at + IN, 4),
        ({"expiresAt": at.isoformat(), "idempotencyKey": "first"}, at + IN, 4),
        ({"expiresAt": None}, None, 6),
        ({"expiresAt": None}, None, 7),
    ]
    for sent, expected, revision in steps:
        session = (await client.data(ADDED, i={"sessionId": "s", "messages": SAID, **sent}))["addMemory"]["session"]
        given = session["expiresAt"]
        assert (given and datetime.fromisoformat(given), session["revision"]) == (expected, revision), sent
    other = {"sessionId": "s", "messages": SAID, "idempotencyKey": "first"}
    assert (await client.error(ADDED, i=other))["code"] == "CONFLICT"
    known = [{**SAID[0], "uuid": "123e4567-e89b-12d3-a456-426614174000"}]
    for sent, replayed in (({}, False), ({"expiresAt": at.isoformat()}, False), ({"expiresAt": at.isoformat()}, True)):
        added = (await client.data(ADDED, i={"sessionId": "s", "messages": known, **sent}))["addMemory"]
        assert added["replayed"] is replayed
        assert (added["session"]["expiresAt"] is not None) == ("expiresAt" in sent)


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
    for query, session_id, more in ((CREATE, "t", {}), (UPDATE, "s", {}), (ADDED, "t", {"messages": SAID})):
        error = await client.error(query, i={"sessionId": session_id, "expiresAt": "2026-01-31T12:00:00Z", **more})
        assert error["code"] == "BAD_USER_INPUT"
        assert error["message"].startswith("expiresAt is 2026-01-31T12:00:00+00:00, which has passed: send a time")
    found = await client.data('{ s: session(sessionId: "s") { expiresAt } t: session(sessionId: "t") { uuid } }')
    assert found == {"s": {"expiresAt": None}, "t": None}


@unswept
@pytest.mark.parametrize("by", ["expiresAt", "the user's retention"])
async def test_an_expired_session_is_unseen_on_every_path(client: Client, database: Database, by: str) -> None:
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
    if by == "expiresAt":
        await expire(database, "s")
    else:
        await unchanged_for(database, 8, "s")
        await client.data(RETAIN, i={"userId": "ann", "retentionDays": 7})
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
            await unchanged_for(database, days, session_id)
        found = await client.data("{ sessions { totalCount edges { node { sessionId } } } }")
        assert found["sessions"] == {"totalCount": 1, "edges": [{"node": {"sessionId": "recent"}}]}
        added = await client.data(ADD, input={"sessionId": "old", "messages": SAID})
        assert added["addMemory"]["session"]["messageCount"] == 1
        found = await client.data("{ sessions { totalCount } }")
        assert found["sessions"]["totalCount"] == 2


@unswept
async def test_the_retention_of_a_user_is_set_changed_and_removed(client: Client, database: Database) -> None:
    made = await client.data(
        """mutation { createUser(input: { userId: "ann", retentionDays: 30 }) { user { retentionDays } } }"""
    )
    assert made["createUser"]["user"]["retentionDays"] == 30
    for session_id, user_id in (("s", "ann"), ("t", "ann"), ("other", "bea"), ("later", None)):
        await client.data(ADD, input={"sessionId": session_id, "userId": user_id, "messages": SAID})
    await client.data(UPDATE, i={"sessionId": "later", "userId": "ann"})
    await unchanged_for(database, 10, "s", "other", "later")
    steps: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {"s", "t", "other", "later"}),
        ({"retentionDays": 10}, {"t", "other"}),
        ({"firstName": "Ann"}, {"t", "other"}),
        ({"retentionDays": 11}, {"s", "t", "other", "later"}),
        ({"retentionDays": 1}, {"t", "other"}),
        ({"retentionDays": None}, {"s", "t", "other", "later"}),
    ]
    for change, expected in steps:
        user = (await client.data(RETAIN, i={"userId": "ann", **change}))["updateUser"]["user"]
        assert user["retentionDays"] == change.get("retentionDays", user["retentionDays"])
        found = (await client.data("{ sessions { totalCount edges { node { sessionId } } } }"))["sessions"]
        assert {edge["node"]["sessionId"] for edge in found["edges"]} == expected, change
        assert found["totalCount"] == len(expected), change
    for days in (0, 36_501):
        error = await client.error(RETAIN, i={"userId": "ann", "retentionDays": days})
        assert error["code"] == "BAD_USER_INPUT"
        assert error["message"].startswith(f"retentionDays is {days:,}, and must be in 1..36,500")
    assert await untyped(database, "retentions").count_documents({}) == 0


@unswept
async def test_an_end_user_changes_no_retention(mongodb_uri: str, settings: Settings, database: Database) -> None:
    del database
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        as_caller(client, token("ada"))
        create = "mutation($i: CreateUserInput!) { createUser(input: $i) { user { retentionDays } } }"
        update = "mutation($i: UpdateUserInput!) { updateUser(input: $i) { user { retentionDays } } }"
        for days in (5, None):
            assert (await client.error(update, i={"userId": "ada", "retentionDays": days}))["code"] == "FORBIDDEN"
        assert (await client.error(create, i={"userId": "ada", "retentionDays": 5}))["code"] == "FORBIDDEN"
        await client.data(create, i={"userId": "ada"})
        await client.data(update, i={"userId": "ada", "firstName": "Ada"})


async def test_sessions_of_many_retentions_are_erased(client: Client, database: Database) -> None:
    at = now() - timedelta(days=100)
    for days in (*range(1, 60), 150):
        await add(client, f"s{days}")
        changes = {"retentionDays": days, "updatedAt": at}
        await untyped(database, "sessions").update_one({"_id": f"s{days}"}, {"$set": changes})
    while await expiry.run_pending(database):
        pass
    assert [session["_id"] for session in await database.all_sessions.find({}, {"_id": 1})] == ["s150"]


async def test_the_shorter_retention_counts(mongodb_uri: str, settings: Settings, database: Database) -> None:
    async with serving(create_app(settings.model_copy(update={"retention_days": 2.0}), mongodb_uri)) as client:
        for session_id, user_id, days in (("s", "ann", 3), ("t", "ann", 1.5), ("u", "bea", 1.5), ("v", "bea", 0.5)):
            await client.data(ADD, input={"sessionId": session_id, "userId": user_id, "messages": SAID})
            await unchanged_for(database, days, session_id)
        await client.data(RETAIN, i={"userId": "ann", "retentionDays": 365})
        await client.data(RETAIN, i={"userId": "bea", "retentionDays": 1})
        found = (await client.data("{ sessions { edges { node { sessionId } } } }"))["sessions"]
        assert [edge["node"]["sessionId"] for edge in found["edges"]] == ["t", "v"]


async def test_workers_erase_what_the_retention_of_a_user_ended(client: Client, database: Database) -> None:
    await add(client, "s", 2, userId="ann")
    await add(client, "kept", 1, userId="ann")
    await add(client, "other", 1, userId="bea")
    await unchanged_for(database, 8, "s", "other")
    await client.data(RETAIN, i={"userId": "bea", "retentionDays": 9})
    await client.data(RETAIN, i={"userId": "ann", "retentionDays": 7})
    await expiry.run_pending(database)
    assert set((await stored(database, "s")).values()) == {0}
    found = await client.data("{ sessions { edges { node { sessionId } } } }")
    assert [edge["node"]["sessionId"] for edge in found["sessions"]["edges"]] == ["kept", "other"]


async def test_another_process_copies_a_retention_whose_process_died(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await client.data(ADD, input={"sessionId": f"s{number}", "userId": "ann", "messages": SAID})
    await unchanged_for(database, 8, "s0", "s1", "s2")

    async def died(_database: Database, _user_id: str) -> None:
        """As a process that ends after the transaction."""

    with monkeypatch.context() as patched:
        patched.setattr(retention, "settle", died)
        await client.data(RETAIN, i={"userId": "ann", "retentionDays": 7})
        await client.data("""mutation { createUser(input: { userId: "bea" }) { user { uuid } } }""")
        await client.data(RETAIN, i={"userId": "bea", "retentionDays": 7})
        await client.data("""mutation { deleteUser(input: { userId: "bea" }) { deletedUserId } }""")
    assert [job["_id"] for job in await database.retentions.find()] == ["ann"]
    assert (await client.data("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 3
    monkeypatch.setattr(retention, "BATCH", 1)
    await untyped(database, "retentions").update_many({}, {"$set": {"dueAt": now()}})
    # The job runs by itself, too; one of the runners copies.
    await retention.run_pending(database)
    await retention.finish(database, "ann")
    assert (await client.data("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0
    assert await untyped(database, "retentions").count_documents({}) == 0


async def test_an_export_keeps_the_retention_of_a_user(client: Client, database: Database) -> None:
    await client.data(ADD, input={"sessionId": "s", "userId": "ann", "messages": SAID})
    await client.data(RETAIN, i={"userId": "ann", "retentionDays": 7})
    file = await exported(database)
    await client.data("""mutation { deleteUser(input: { userId: "ann" }) { deletedUserId } }""")
    await imported(database, file)
    await unchanged_for(database, 8, "s")
    assert (await client.data("""{ user(userId: "ann") { retentionDays } session(sessionId: "s") { uuid } }""")) == {
        "user": {"retentionDays": 7},
        "session": None,
    }


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
