"""Gone means gone: what is deleted is unseen at once, and no collection holds any trace of it soon after."""

from __future__ import annotations

import asyncio
import signal
import time
import uuid as uuids
from pathlib import Path
from typing import Any

import bson
import pymongo
import pytest

from graph.mongod.embedded import EmbeddedMongo, running_uri
from graph.store import sessions, users
from graph.store.database import Database
from graph.store.documents import now, pending
from graph.store.driver.transactions import in_transaction
from graph.store.driver.types import Transaction
from graph.store.jobs import enrichment, erasure, progress, summarising
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import Outcome
from graph.store.scope import EVERYTHING
from graph.store.visible import erased_until
from tests.support.graphql_client import ADD, OCTAVIA, Client
from tests.support.items import item, put
from tests.support.killed import run_and_kill
from tests.support.pieces import append, started
from tests.support.server_process import ServerProcess
from tests.support.untyped import untyped

ALL = Limits(messages=100_000, tokens=10**9, attempts=5)
MARK = "planted"
"""Every planted text holds it."""


def planted(place: str) -> str:
    return f"{MARK}-{place}-{uuids.uuid4().hex}"


async def traces(database: Database, *more: str) -> list[str]:
    """Where the raw bytes of any document of any collection hold the mark, or another text."""
    opened = database.client.get_database(database.name)
    found = []
    for name in await opened.list_collection_names():
        for document in await opened[name].find({}).to_list(None):
            raw = raw_without_ids(name, document)
            found += [f"{name}: {document}" for text in (MARK, *more) if text.encode() in raw]
    return found


def raw_without_ids(collection: str, document: dict[str, Any]) -> bytes:
    """A document's bytes. A tombstone keeps the ids of a session and message, and no user's, for subscribers."""
    ids = {"sessionId", "uuid"} if collection == "deletions" else set()
    return bson.encode({name: value for name, value in document.items() if name not in ids})


async def erasures_done(database: Database) -> None:
    """Wait until the application has taken all away."""
    async with asyncio.timeout(60):
        while await database.erasures.find_one({}) is not None:  # noqa: ASYNC110 - another process's work
            await asyncio.sleep(0.05)


async def plant(client: Client, database: Database, user_id: str, session_id: str, messages: int = 4) -> list[str]:
    """A session with the mark in every field that can hold a text; returns the uuids of its messages."""
    await client.send(
        """mutation($input: CreateUserInput!) { createUser(input: $input) { user { uuid } } }""",
        input={
            "userId": user_id,
            "email": planted("email"),
            "firstName": planted("first"),
            "lastName": planted("last"),
            "metadata": {planted("key"): [{planted("key"): planted("value")}]},
        },
    )
    uuids_of: list[str] = []
    for part in range(0, messages, 1000):
        added = await client.data(
            ADD,
            input={
                "sessionId": session_id,
                "userId": user_id,
                "idempotencyKey": planted("idempotency"),
                "metadata": {planted("key"): {"deep": planted("value")}},
                "messages": [
                    {
                        "uuid": str(uuids.uuid4()),
                        "role": planted("role"),
                        "name": planted("speaker"),
                        "toolCallId": planted("call"),
                        "parts": [{"type": planted("type"), planted("key"): [planted("argument")]}],
                        "content": planted(f"content {part + number}"),
                        "metadata": {planted("key"): planted("value")},
                    }
                    for number in range(min(1000, messages - part))
                ],
            },
        )
        uuids_of += [message["uuid"] for message in added["addMemory"]["memory"]["messages"]]
    await client.data(
        "mutation($input: UpdateSessionInput!) { updateSession(input: $input) { session { uuid } } }",
        input={"sessionId": session_id, "title": planted("title")},
    )
    for _ in range(1 + messages // 1000):  # many where the messages are many
        value = {planted("key"): planted("value")}
        count = min(100, messages)
        await put(
            client, user_id, *(item(planted("label"), f"{planted('key')} {n}", value, index=[]) for n in range(count))
        )
    await put(client, user_id, item(planted("label"), planted("key"), value))
    held = await enrichment.claim(database, ALL, lease_seconds=60, session_id=session_id)
    outcomes = []
    for message in held.messages[:20]:
        name = planted("name")
        match = {"start": 0, "end": len(name), "text": name}
        shared = {"key": "ORG:planted-shared", "name": "planted-shared", "label": "ORG", "matches": [match]}
        own = {"key": f"PERSON:{name}", "name": name, "label": "PERSON", "matches": [match]}
        outcomes.append(Outcome(message["_id"], 1, [own, shared]))  # type: ignore[list-item]
    assert await enrichment.complete(database, held.lease, outcomes) == len(outcomes)
    await database.summaries.insert_one(
        {
            "_id": str(uuids.uuid4()),
            "sessionId": session_id,
            "firstSeq": 1,
            "lastSeq": 2,
            "lastMessageUuid": uuids_of[1],
            "content": planted("summary"),
            "source": "EXTRACTIVE",
            "tokenCount": 3,
            "createdAt": now(),
            "entities": [{"key": "k", "name": planted("name"), "label": "ORG", "matches": []}],
        }
    )
    await database.sessions.update_one({"_id": session_id}, {"$set": {"summarySeq": 2}})
    await plant_stream(client, database, session_id)
    return uuids_of


async def plant_stream(client: Client, database: Database, session_id: str) -> None:
    """A message that is being written, with the mark in its fields and in its pieces."""
    message = await started(
        client,
        sessionId=session_id,
        role=planted("role"),
        name=planted("speaker"),
        toolCallId=planted("call"),
        metadata={planted("key"): planted("value")},
    )
    assert await append(client, message["uuid"], 0, planted("piece"), data=planted("data")) == 1
    assert await append(client, message["uuid"], 1, planted("piece"), planted("piece")) == 3
    sent = {"sessionId": session_id, "name": planted("writer")}
    await client.data("mutation($i: SetTypingInput!) { setTyping(input: $i) { accepted } }", i=sent)
    kinds = [trace.partition(":")[0] for trace in await traces(database)]
    assert kinds.count("pieces") >= 2
    assert "typing" in kinds


async def ids_of(client: Client, session_id: str) -> list[str]:
    """Global ids of all that a session holds."""
    found = await client.data(
        """query($id: ID!) { session(sessionId: $id) { id memory { id summary { id } }
             memories { edges { node { id } } } messages(first: 5) { edges { node { id entities { id } } } } } }""",
        id=session_id,
    )
    ids: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            ids.extend([value["id"]] if "id" in value else [])
            for item in value.values():
                collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    collect(found)
    assert len(ids) > 5
    return ids


async def assert_unseen(client: Client, session_id: str, user_id: str, uuids_of: list[str], ids: list[str]) -> None:
    data = await client.data(
        """query($s: ID!, $u: ID!, $uuid: UUID!, $ids: [ID!]!) {
             session(sessionId: $s) { uuid } memory(sessionId: $s) { uuid } message(uuid: $uuid) { uuid }
             nodes(ids: $ids) { id } sessions { totalCount }
             byUser: sessions(filter: { userId: $u }) { totalCount } }""",
        s=session_id,
        u=user_id,
        uuid=uuids_of[-1],
        ids=ids,
    )
    assert (data["session"], data["memory"], data["message"]) == (None, None, None)
    assert set(map(str, data["nodes"])) == {"None"}
    assert data["sessions"]["totalCount"] == data["byUser"]["totalCount"] == 0


@pytest.mark.parametrize("messages", [4, 1500])
@pytest.mark.parametrize("deletion", ["deleteSession", "deleteUser"])
async def test_a_deletion_is_unseen_at_once_and_leaves_no_trace(
    client: Client, database: Database, deletion: str, messages: int
) -> None:
    user_id, session_id = planted("user"), planted("session")
    uuids_of = await plant(client, database, user_id, session_id, messages)
    ids = await ids_of(client, session_id)
    if deletion == "deleteSession":
        await client.data(
            "mutation($id: ID!) { deleteSession(input: { sessionId: $id }) { deletedId } }", id=session_id
        )
    else:
        await client.data("mutation($id: ID!) { deleteUser(input: { userId: $id }) { deletedId } }", id=user_id)
    await assert_unseen(client, session_id, user_id, uuids_of, ids)
    if deletion == "deleteSession":
        left = await client.data("query($id: ID!) { user(userId: $id) { sessions { totalCount } } }", id=user_id)
        assert left["user"]["sessions"]["totalCount"] == 0
        await client.data("mutation($id: ID!) { deleteUser(input: { userId: $id }) { deletedId } }", id=user_id)
    if messages <= erasure.SMALL:
        assert await traces(database, *uuids_of[:5]) == []
    else:
        await erasures_done(database)
        assert await traces(database, *uuids_of[:5]) == []


async def test_a_user_of_many_sessions_leaves_no_trace(client: Client, database: Database) -> None:
    user_id = planted("user")
    count = erasure.FEW * 2 + 5
    for part in range(0, count, 20):
        await asyncio.gather(
            *(
                client.data(
                    ADD,
                    input={"sessionId": planted(f"session {part + n}"), "userId": user_id, "messages": OCTAVIA},
                )
                for n in range(min(20, count - part))
            )
        )
    assert await database.sessions.count_documents({"userId": user_id}) == count
    await client.data("mutation($id: ID!) { deleteUser(input: { userId: $id }) { deletedId } }", id=user_id)
    assert (await client.data("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0
    await erasures_done(database)
    assert await traces(database) == []
    assert await database.messages.count_documents({}) == 0


async def test_a_fork_goes_with_its_user_and_not_with_its_source(client: Client, database: Database) -> None:
    user_id, session_id, fork_id = planted("user"), planted("session"), planted("fork")
    uuids_of = await plant(client, database, user_id, session_id)
    sent = {"sessionId": session_id, "throughSeq": 3, "newSessionId": fork_id}
    await client.data("mutation($i: ForkSessionInput!) { forkSession(input: $i) { replayed } }", i=sent)
    await client.data("mutation($id: ID!) { deleteSession(input: { sessionId: $id }) { deletedId } }", id=session_id)
    query = "query($id: ID!) { session(sessionId: $id) { messages { edges { node { uuid } } } } }"
    edges = (await client.data(query, id=fork_id))["session"]["messages"]["edges"]
    assert len(edges) == 3
    uuids_of += [edge["node"]["uuid"] for edge in edges]
    await client.data("mutation($id: ID!) { deleteUser(input: { userId: $id }) { deletedId } }", id=user_id)
    await erasures_done(database)
    assert await traces(database, *uuids_of) == []


@pytest.mark.parametrize("change", ["popMessage", "replaceFrom"])
async def test_messages_that_are_taken_off_or_replaced_leave_no_trace(
    client: Client, database: Database, change: str
) -> None:
    said = {"role": "user", "content": planted("content"), "metadata": {planted("key"): planted("value")}}
    await client.data(ADD, input={"sessionId": "s", "userId": "ann", "messages": [said]})
    held = await enrichment.claim(database, ALL, lease_seconds=60)
    match = {"start": 0, "end": 7, "text": MARK}
    entity = {"key": f"ORG:{MARK}", "name": MARK, "label": "ORG", "matches": [match]}
    outcome = Outcome(held.messages[0]["_id"], 1, [entity])  # type: ignore[list-item]
    assert await enrichment.complete(database, held.lease, [outcome]) == 1
    await untyped(database, "summaries").insert_one({"_id": "y", "sessionId": "s", "lastSeq": 1, "content": MARK})
    assert {trace.partition(":")[0] for trace in await traces(database)} == {"messages", "entities", "summaries"}
    more = ', seq: 1, messages: [{ role: "user", content: "new" }]' if change == "replaceFrom" else ""
    await client.data(f'mutation {{ {change}(input: {{ sessionId: "s"{more} }}) {{ session {{ uuid }} }} }}')
    assert await traces(database) == []


@pytest.mark.parametrize("messages", [4, 1500])
async def test_a_deleted_memory_leaves_the_session_and_nothing_of_it(
    client: Client, database: Database, messages: int
) -> None:
    uuids_of = await plant(client, database, "ann", "s", messages)
    await client.data('mutation { deleteMemory(input: { sessionId: "s" }) { deletedId } }')
    seen = await client.data(
        """query($uuid: UUID!) { message(uuid: $uuid) { uuid } session(sessionId: "s") { messageCount tokenCount
             memory { summary { uuid } messages(last: 1000) { uuid } entities { name } }
             messages { totalCount edges { cursor } } memories { totalCount edges { cursor } } } }""",
        uuid=uuids_of[0],
    )
    empty: dict[str, Any] = {"totalCount": 0, "edges": []}
    assert seen == {
        "message": None,
        "session": {
            "messageCount": 0,
            "tokenCount": 0,
            "memory": {"summary": None, "messages": [], "entities": []},
            "messages": empty,
            "memories": empty,
        },
    }
    added = await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA})
    assert [message["seq"] for message in added["addMemory"]["memory"]["messages"]] == [
        messages + 2,  # after the message that was being written
        messages + 3,
        messages + 4,
    ]
    await erasures_done(database)
    # The session's own metadata, the user with its items and the notice of who writes, which ends by itself, have it.
    assert {trace.partition(":")[0] for trace in await traces(database)} == {"items", "sessions", "typing", "users"}
    assert await database.messages.count_documents({}) == 3
    assert await database.memories.count_documents({}) == 1


async def fill(database: Database, session_id: str, count: int, *, user_id: str | None = None) -> None:
    """A session of `count` messages that wait for their entities, as they are stored."""
    at = now()
    memory_id = str(uuids.uuid4())
    session: dict[str, Any] = {"_id": session_id, "uuid": str(uuids.uuid4()), "metadata": {}}
    session |= {"createdAt": at, "updatedAt": at, "messageCount": count, "tokenCount": count, "lastSeq": count}
    if user_id is not None:
        session["userId"] = user_id
        await database.users.update_one(
            {"_id": user_id},
            {"$setOnInsert": {"uuid": str(uuids.uuid4()), "metadata": {}, "createdAt": at, "updatedAt": at}},
            upsert=True,
        )
    await untyped(database, "sessions").insert_one({**session, "summarySeq": 0})
    await untyped(database, "memories").insert_one(
        {"_id": memory_id, "sessionId": session_id, "firstSeq": 1, "lastSeq": count, "tokenCount": count}
        | {"metadata": {}, "createdAt": at}
    )
    message: dict[str, Any] = {"sessionId": session_id, "memoryId": memory_id, "role": "human", "content": MARK}
    message["metadata"] = {}
    message |= {"tokenCount": 1, "entities": [], "createdAt": at, "updatedAt": at, "enrichment": pending(at)}
    for first in range(1, count + 1, 10_000):
        await untyped(database, "messages").insert_many(
            [
                {**message, "_id": str(uuids.uuid4()), "seq": seq}
                for seq in range(first, min(count + 1, first + 10_000))
            ],
            ordered=False,
        )


async def writes_since(database: Database, at: Any) -> int:
    """How many documents of the test's database were written after a time of the oplog."""
    found = await database.client["local"]["oplog.rs"].find({"ts": {"$gt": at}}).to_list(None)
    entries = [part for entry in found for part in (entry["o"].get("applyOps") or [entry])]
    return sum(part.get("ns", "").startswith(f"{database.name}.") for part in entries)


async def oplog_time(database: Database) -> Any:
    newest = await database.client["local"]["oplog.rs"].find_one({}, sort=[("$natural", -1)])
    assert newest is not None
    return newest["ts"]


@pytest.mark.parametrize("what", ["session", "contents", "user"])
async def test_a_deletion_writes_no_more_for_many_messages(database: Database, what: str) -> None:
    """Else the transaction of a large one would outlast what MongoDB allows it."""
    numbers = []
    for count in (1_200, 3_000):
        key = f"{what} of {count}"
        await fill(database, key, count, user_id=key)
        at = await oplog_time(database)
        if what == "session":
            await sessions.delete_session(database, EVERYTHING, key)
        elif what == "contents":
            await sessions.delete_contents(database, EVERYTHING, key)
        else:
            await users.delete_user(database, EVERYTHING, key)
        numbers.append(await writes_since(database, at))
    assert 0 < numbers[0] == numbers[1] < 20
    while await erasure.run_pending(database):
        pass
    await expire_lease(database)
    while await erasure.run_pending(database):
        pass
    assert await database.messages.count_documents({}) == 0
    assert await database.erasures.count_documents({}) == 0


async def test_a_worker_passes_over_what_is_being_erased(database: Database) -> None:
    for key in ("gone", "cleared"):
        await fill(database, key, 1_200)
    failed = {"$set": {"enrichment": {"state": "FAILED", "attempts": 5}}}
    await database.messages.update_many({"seq": 900}, failed)
    held = await enrichment.claim(database, Limits(100, 10**9, 5), lease_seconds=60)
    await sessions.delete_session(database, EVERYTHING, "gone")
    await sessions.delete_contents(database, EVERYTHING, "cleared")
    name = {"start": 0, "end": 3, "text": MARK}
    found = {"key": "ORG:x", "name": MARK, "label": "ORG", "matches": [name]}
    outcomes = [Outcome(uuid, 1, [found]) for uuid in held.uuids]  # type: ignore[list-item]
    assert await enrichment.complete(database, held.lease, outcomes) == 0
    await fill(database, "there", 3)
    (message, *_) = await database.messages.find({"sessionId": "there"})
    left = {"oldestPendingAt": message["createdAt"]}
    claimed: list[str] = []
    while (held := await enrichment.claim(database, ALL, lease_seconds=60)).messages or held.contended:
        claimed += [message["sessionId"] for message in held.messages]
    assert claimed == ["there"] * 3
    assert await database.messages.count_documents({"enrichment.state": "DONE"}) == 0
    assert await database.entities.count_documents({"key": {"$exists": True}}) == 0
    for key in ("gone", "cleared"):
        visible = await sessions.find_visible(database, EVERYTHING, key)
        assert await progress.progress(database, visible, model="model") == {
            "pending": 0,
            "done": 0,
            "failed": 0,
            "unembedded": 0,
            "oldestPendingAt": None,
        }
        assert await progress.retry(database, visible) == 0
    assert await progress.progress(database) == {"pending": 3, "done": 0, "failed": 0, "unembedded": 0, **left}
    assert await progress.retry(database) == 0


async def test_sessions_that_one_transaction_cant_hold_are_unseen_as_well(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "SESSIONS_AT_ONCE", 2)
    for number in range(7):
        await fill(database, f"{MARK} {number}", 200 * number, user_id="ann")
    jobs = await users.delete_user(database, EVERYTHING, "ann")
    assert jobs == [erasure.user_job("ann")]
    assert (await client.data("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0
    # As a process that died here leaves it.
    again = 'mutation { createUser(input: { userId: "ann" }) { user { sessions { totalCount } } } }'
    assert (await client.data(again))["createUser"]["user"]["sessions"]["totalCount"] == 0
    while await erasure.run_pending(database):
        pass
    await erasures_done(database)
    assert await traces(database) == []


@pytest.mark.parametrize("what", ["session", "contents", "user"])
async def test_a_session_of_many_entities_goes_in_transactions_of_few(
    database: Database, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(erasure, "ENTITIES_AT_ONCE", 20)
    monkeypatch.setattr(erasure, "BATCH", 20)
    for session_id in ("kept", "planted"):
        await fill(database, session_id, 1, user_id="ann" if session_id == "planted" or what != "user" else "bob")
        held = await enrichment.claim(database, ALL, lease_seconds=60)
        match = {"start": 0, "end": 3, "text": MARK}
        found = [
            {"key": f"ORG:{n}", "name": f"{session_id} {n}", "label": "ORG", "matches": [match]} for n in range(100)
        ]
        assert await enrichment.complete(database, held.lease, [Outcome(held.uuids[0], 1, found)]) == 1  # type: ignore[arg-type]
    at = await oplog_time(database)
    if what == "session":
        await sessions.delete_session(database, EVERYTHING, "planted")
    elif what == "contents":
        await sessions.delete_contents(database, EVERYTHING, "planted")
    else:
        await users.delete_user(database, EVERYTHING, "ann")
    oplog = database.client["local"]["oplog.rs"]
    entries = await oplog.find({"ts": {"$gt": at}, "o.applyOps": {"$exists": True}}).to_list(None)
    assert max(len(entry["o"]["applyOps"]) for entry in entries) < 60
    counts = await database.entities.find({"rank": {"$exists": True}}, {"owner": 1, "mentionCount": 1})
    if what != "user":  # whose own go by its job
        assert {count["owner"] for count in counts} == {"s:kept", "u:ann"}
        assert {count["mentionCount"] for count in counts} == {1}
    await expire_lease(database)
    while await erasure.run_pending(database):
        pass
    assert await database.erasures.count_documents({}) == 0
    left = {"s:kept", "u:bob" if what == "user" else "u:ann"}
    assert {entity["owner"] for entity in await database.entities.find()} - {"s:planted"} == left
    if what != "contents":  # the lock of a session that stays
        assert await database.entities.count_documents({"owner": "s:planted"}) == 0


ENTITIES = """query($id: ID!) { node(id: $id) { id }
  session(sessionId: "s") { entities { totalCount edges { node { id name } } } memory { entities { name } } } }"""


async def test_entities_that_an_erasure_has_still_to_delete_are_unseen(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "ENTITIES_AT_ONCE", 1)
    await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA[:1]})
    held = await enrichment.claim(database, ALL, lease_seconds=60)
    match = {"start": 0, "end": 3, "text": MARK}
    found = [{"key": f"ORG:{n}", "name": f"{MARK} {n}", "label": "ORG", "matches": [match]} for n in range(3)]
    assert await enrichment.complete(database, held.lease, [Outcome(held.uuids[0], 1, found)]) == 1  # type: ignore[arg-type]
    before = (await client.data(ENTITIES, id=""))["session"]["entities"]
    assert before["totalCount"] == 3
    ids = [edge["node"]["id"] for edge in before["edges"]]

    async def clear(tx: Transaction) -> None:  # as far as the transaction of a deletion goes
        session = await database.sessions.find_one({"_id": "s"}, session=tx)
        assert session
        await erasure.erase_contents(database, session, tx)
        await database.sessions.update_one({"_id": "s"}, {"$set": erased_until(session["lastSeq"])}, session=tx)

    await in_transaction(database.client, clear, deadline=60)
    assert await database.entities.count_documents({"rank": {"$exists": True}}) == 3
    empty = {"entities": {"totalCount": 0, "edges": []}, "memory": {"entities": []}}
    for entity in ids:
        assert await client.data(ENTITIES, id=entity) == {"node": None, "session": empty}


async def test_no_summary_is_stored_of_what_is_being_erased(database: Database) -> None:
    await fill(database, "s", 1_200)
    await summarising.mark_due(database, 12)
    due = await summarising.claim_session(database, lease_seconds=60)
    assert due
    standing = await summarising.standing_of(database, due)
    assert standing
    read = await summarising.contents(database, standing, 1, 12)
    await sessions.delete_contents(database, EVERYTHING, "s")
    summary = {"firstSeq": 1, "lastSeq": 12, "content": MARK, "tokenCount": 1, "source": "EXTRACTIVE", "entities": []}
    assert not await summarising.store_summary(database, due, standing, read, summary)
    assert await database.summaries.count_documents({}) == 0


EVERY_READ = """query { user(userId: "ann") { entities(labels: ["ORG"], first: 3) { edges { node { ...E } } } }
  session(sessionId: "s") { messageCount tokenCount enrichment { pending done failed oldestPendingAt }
    summaries(first: 2) { totalCount edges { node { uuid } } } messages(first: 2) { edges { node { seq } } }
    memories(first: 2) { edges { node { messages { seq } summary { uuid } entities { name mentionCount } } } }
    entities(first: 2) { edges { node { ...E } } }
    memory { summary { uuid } messages { seq } entities { name mentionCount } } }
  enrichment { pending done failed } }
  fragment E on Entity { name mentionCount matches(first: 3) { text message { seq } }
    messages(first: 3) { edges { node { seq } } } sessions(first: 3) { edges { node { sessionId } } } }"""


async def test_nothing_is_read_of_a_memory_whose_erasure_has_yet_to_begin(client: Client, database: Database) -> None:
    await plant(client, database, "ann", "s", 1500)
    assert await sessions.delete_contents(database, EVERYTHING, "s") is not None
    seen = await client.data(EVERY_READ)
    none: dict[str, Any] = {"edges": []}
    nothing_done = {"pending": 0, "done": 0, "failed": 0}
    assert seen == {
        "user": {"entities": none},
        "session": {
            "messageCount": 0,
            "tokenCount": 0,
            "enrichment": {**nothing_done, "oldestPendingAt": None},
            "summaries": {"totalCount": 0, **none},
            "messages": none,
            "memories": none,
            "entities": none,
            "memory": {"summary": None, "messages": [], "entities": []},
        },
        "enrichment": nothing_done,
    }
    added = (await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA[:2]}))["addMemory"]["memory"]
    claims: dict[str, enrichment.Claim] = {}
    while len(claims) < 2:
        held = await enrichment.claim(database, Limits(1, 10**9, 5), lease_seconds=60)
        claims |= {message["content"]: held for message in held.messages}
    for message in added["messages"]:  # one after the other: the second one looks for the first mention
        match = {"start": 0, "end": 3, "text": message["content"][:3]}
        shared = {"key": "ORG:planted-shared", "name": f"later {message['seq']}", "label": "ORG", "matches": [match]}
        held = claims[message["content"]]
        assert await enrichment.complete(database, held.lease, [Outcome(held.uuids[0], 1, [shared])]) == 1  # type: ignore[list-item]
    first, last = added["messages"]
    edit = 'mutation($uuid: UUID!) { updateMessage(input: { uuid: $uuid, content: "x" }) { message { uuid } } }'
    await client.data(edit, uuid=first["uuid"])
    seen = await client.data(EVERY_READ)
    entity = {
        "name": f"later {last['seq']}",
        "mentionCount": 1,
        "matches": [{"text": last["content"][:3], "message": {"seq": last["seq"]}}],
        "messages": {"edges": [{"node": {"seq": last["seq"]}}]},
        "sessions": {"edges": [{"node": {"sessionId": "s"}}]},
    }
    assert seen["user"]["entities"]["edges"] == [{"node": entity}]
    assert seen["session"]["entities"]["edges"] == [{"node": entity}]
    (memory,) = seen["session"]["memories"]["edges"]
    assert memory["node"]["entities"] == [{"name": f"later {last['seq']}", "mentionCount": 1}]
    assert memory["node"]["summary"] is None
    assert seen["session"]["enrichment"] | {"oldestPendingAt": None} == {
        "pending": 1,
        "done": 1,
        "failed": 0,
        "oldestPendingAt": None,
    }
    assert seen["enrichment"] == {"pending": 1, "done": 1, "failed": 0}
    assert await database.messages.count_documents({}) == 1503


@pytest.mark.slow
@pytest.mark.parametrize("what", ["session", "memory"])
async def test_a_session_of_100_000_pending_messages_is_unseen_at_once(
    client: Client, database: Database, what: str
) -> None:
    await fill(database, "s", 100_000, user_id="ann")
    began = time.monotonic()
    mutation = "deleteSession" if what == "session" else "deleteMemory"
    await client.data(f'mutation {{ {mutation}(input: {{ sessionId: "s" }}) {{ deletedId }} }}')
    print(f"{mutation} took {time.monotonic() - began:.3f} s")
    seen = await client.data('{ session(sessionId: "s") { messages { totalCount edges { cursor } } } }')
    empty = None if what == "session" else {"messages": {"totalCount": 0, "edges": []}}
    assert seen["session"] == empty
    assert await database.messages.count_documents({}) > 0
    await erasures_done(database)
    print(f"all was gone after {time.monotonic() - began:.1f} s")
    assert await traces(database) == []


@pytest.mark.slow
async def test_a_user_of_5_000_sessions_is_unseen_at_once(client: Client, database: Database) -> None:
    at = now()
    await fill(database, "first", 3, user_id="ann")
    (session,) = await database.sessions.find()
    (memory,) = await database.memories.find()
    messages = await database.messages.find()
    copies = range(5_000)
    await database.sessions.insert_many(
        [{**session, "_id": f"{MARK} {n}", "uuid": str(uuids.uuid4()), "createdAt": at} for n in copies]
    )
    await untyped(database, "memories").insert_many(
        [{**memory, "_id": f"{MARK} {n}", "sessionId": f"{MARK} {n}"} for n in copies]
    )
    await database.messages.insert_many(
        [
            {**message, "_id": str(uuids.uuid4()), "sessionId": f"{MARK} {n}", "memoryId": f"{MARK} {n}"}
            for n in copies
            for message in messages
        ]
    )
    began = time.monotonic()
    await client.data('mutation { deleteUser(input: { userId: "ann" }) { deletedId } }')
    print(f"deleteUser took {time.monotonic() - began:.3f} s")
    assert (await client.data("{ sessions { totalCount } users { totalCount } }")) == {
        "sessions": {"totalCount": 0},
        "users": {"totalCount": 0},
    }
    await erasures_done(database)
    print(f"all was gone after {time.monotonic() - began:.1f} s")
    assert await traces(database) == []
    assert await database.messages.count_documents({}) == 0


DELETER = """
import asyncio, sys
from graph.store import sessions, users
from graph.store.jobs import erasure
from graph.store.database import open_database
from graph.store.scope import EVERYTHING
from tests.support.driver import DRIVER
from tests.support.items import item, put
from tests.support.killed import stopping_after

async def main(uri, name, what, key):
    erasure.BATCH = 50
    database = await open_database(uri, name=name, driver_name=DRIVER)
    if what == "session":
        job = await sessions.delete_session(database, EVERYTHING, key)
    elif what == "memory":
        job = await sessions.delete_contents(database, EVERYTHING, key)
    else:
        (job,) = await users.delete_user(database, EVERYTHING, key)
        await erasure.finish(database, job)
        job = (await database.erasures.find_one())["_id"]
    erasure._step = stopping_after(erasure._step)
    await erasure.finish(database, job)

asyncio.run(main(*sys.argv[1:]))
"""


def delete_and_die(uri: str, database: Database, what: str, key: str) -> None:
    """Delete in a process of its own, which is killed in the middle of the erasure."""
    run_and_kill(DELETER, uri, database.name, what, key)


async def expire_lease(database: Database) -> None:
    """As if the time had passed after which the dead process is given up."""
    await database.erasures.update_many({}, {"$set": {"dueAt": now()}})


@pytest.mark.parametrize("what", ["session", "user"])
async def test_a_killed_erasure_is_unseen_and_is_finished_by_another_process(
    client: Client, database: Database, mongodb_uri: str, what: str
) -> None:
    user_id, session_id = planted("user"), planted("session")
    uuids_of = await plant(client, database, user_id, session_id, 2500)
    ids = await ids_of(client, session_id)
    await asyncio.to_thread(delete_and_die, mongodb_uri, database, what, session_id if what == "session" else user_id)
    left = await database.messages.count_documents({})
    assert 0 < left < 2500
    await assert_unseen(client, session_id, user_id, uuids_of, ids)
    for number, uuid in enumerate((uuids_of[-1], uuids_of[-2])):
        query = (
            'updateMessage(input: { uuid: $uuid, content: "x" }) { message { uuid } }',
            "deleteMessage(input: { uuid: $uuid }) { deletedId }",
        )
        error = await client.error(f"mutation($uuid: UUID!) {{ {query[number]} }}", uuid=uuid)
        assert error["code"] == "NOT_FOUND"
    if what == "session":
        await client.data("mutation($id: ID!) { deleteUser(input: { userId: $id }) { deletedId } }", id=user_id)
    await expire_lease(database)
    assert await erasure.run_pending(database) + await erasure.run_pending(database) <= 1
    await erasures_done(database)
    assert await traces(database, *uuids_of[:5]) == []


async def test_an_id_whose_erasure_was_killed_starts_afresh(
    client: Client, database: Database, mongodb_uri: str
) -> None:
    session_id = planted("session")
    uuids_of = await plant(client, database, "ann", session_id, 2500)
    await asyncio.to_thread(delete_and_die, mongodb_uri, database, "session", session_id)
    adds = await asyncio.gather(
        *(
            client.data(
                ADD,
                input={
                    "sessionId": session_id,
                    "userId": "ann",
                    "messages": [{"uuid": uuids_of[2400 + number], "role": "human", "content": f"again {number}"}],
                },
            )
            for number in range(4)
        )
    )
    places = [message["seq"] for added in adds for message in added["addMemory"]["memory"]["messages"]]
    assert sorted(places) == [1, 2, 3, 4]
    assert not any(added["addMemory"]["replayed"] for added in adds)
    await expire_lease(database)
    await erasure.run_pending(database)
    assert await database.messages.count_documents({}) == 4
    assert await database.memories.count_documents({}) == 4
    assert await database.erasures.count_documents({}) == 0


@pytest.mark.parametrize("again", ["createSession", "uuid elsewhere", "idempotencyKey"])
async def test_what_is_being_erased_is_in_nobodys_way(
    client: Client, database: Database, mongodb_uri: str, again: str
) -> None:
    uuids_of = await plant(client, database, "ann", "s", 2500)
    key = (await untyped(database, "memories").find_one({"firstSeq": 2001}))["idempotencyKey"]
    what = "memory" if again == "idempotencyKey" else "session"
    await asyncio.to_thread(delete_and_die, mongodb_uri, database, what, "s")
    message = {"role": "human", "content": "x"}
    if again == "createSession":
        query = 'mutation { createSession(input: { sessionId: "s" }) { session { messageCount } } }'
        assert (await client.data(query))["createSession"]["session"]["messageCount"] == 0
        left = 0
    elif again == "uuid elsewhere":
        sent = {"sessionId": "other", "messages": [{**message, "uuid": uuids_of[-1]}]}
        assert (await client.data(ADD, input=sent))["addMemory"]["replayed"] is False
        left = 1
    else:
        sent = {"sessionId": "s", "messages": [message], "idempotencyKey": key}
        added = (await client.data(ADD, input=sent))["addMemory"]
        assert (added["replayed"], added["memory"]["messages"][0]["seq"]) == (False, 2502)
        left = 1
    assert await database.messages.count_documents({}) == left
    assert await database.erasures.count_documents({}) == 0


async def test_an_unknown_thing_leaves_no_job(client: Client, database: Database) -> None:
    await client.error('mutation { deleteSession(input: { sessionId: "no" }) { deletedId } }')
    assert await erasure.run_pending(database) == 0
    await erasure.finish(database, erasure.session_job("no"))


async def test_adds_and_deletions_of_one_session_at_once(client: Client, database: Database) -> None:
    """Each deletion takes what was added before it, whole, and nothing of what comes after."""
    many = OCTAVIA * 200

    async def write(number: int) -> None:
        if number % 4 == 3:
            await client.send('mutation { deleteSession(input: { sessionId: "s" }) { deletedId } }')
        elif number % 4 == 2:
            await client.send('mutation { deleteMemory(input: { sessionId: "s" }) { deletedId } }')
        else:
            await client.data(ADD, input={"sessionId": "s", "messages": many, "userId": "u"})

    await asyncio.gather(*map(write, range(16)))
    await erasures_done(database)
    session = await database.sessions.find_one({"_id": "s"})
    messages = await database.messages.find({}, {"seq": 1, "tokenCount": 1}, sort=[("seq", 1)])
    memories = await database.memories.find({})
    if session is None:
        assert (messages, memories) == ([], [])
        return
    assert session["messageCount"] == len(messages) == len(memories) * len(many)
    assert session["tokenCount"] == sum(message["tokenCount"] for message in messages)
    first = session["lastSeq"] - len(messages) + 1
    assert [message["seq"] for message in messages] == list(range(first, session["lastSeq"] + 1))


def wait_for_erasures(data_dir: Path) -> None:
    """Wait until a running server has taken up and finished the jobs that an earlier one left."""
    uri = running_uri(data_dir)
    assert uri is not None
    until = time.monotonic() + 240
    with pymongo.MongoClient[Any](uri) as opened, pymongo.timeout(60):
        while opened["recallql"]["erasures"].count_documents({}):
            assert time.monotonic() < until, "the erasure was not finished"
            time.sleep(0.5)


@pytest.mark.slow
def test_a_killed_service_finishes_the_erasure_when_it_starts_again(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    add = "mutation($input: AddMemoryInput!) { addMemory(input: $input) { replayed } }"
    server = ServerProcess(data_dir, "--enrichment-processes", "0")
    try:
        for _ in range(20):
            many = [{"role": "human", "content": planted("content")} for _ in range(1000)]
            server.graphql(add, input={"sessionId": "planted-session", "messages": many})
        server.graphql('mutation { deleteSession(input: { sessionId: "planted-session" }) { deletedId } }')
    finally:
        server.stop(signal.SIGKILL)
    server = ServerProcess(data_dir, "--enrichment-processes", "0")
    try:
        assert server.graphql('{ session(sessionId: "planted-session") { uuid } }')["session"] is None
        wait_for_erasures(data_dir)
    finally:
        server.stop()
    with EmbeddedMongo(data_dir) as mongo, pymongo.MongoClient[Any](mongo.uri) as opened, pymongo.timeout(60):
        for name in opened["recallql"].list_collection_names():
            for document in opened["recallql"][name].find({}):
                assert MARK.encode() not in raw_without_ids(name, document)
