from __future__ import annotations

import asyncio
import io
import signal
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import TransferError
from graph.settings import Settings
from graph.store import items, sessions, users
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.documents import Document, JSONObject, SessionDocument, UserDocument, new_uuid, now
from graph.store.editing.edits import delete_message
from graph.store.forking.forks import Fork, fork_session
from graph.store.jobs import erasure, handover
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import claim
from graph.store.memories import add_memory
from graph.store.read_marks import mark_read
from graph.store.reading.numbers import ensure_number
from graph.store.scope import EVERYTHING
from graph.store.transfer import staging
from graph.transfer import records
from graph.transfer.assembly import Assembly
from graph.transfer.export import ExportSelection, export, resumed
from graph.transfer.import_ import Importer
from graph.transfer.portions import Batch, Part
from graph.transfer.source import Source
from graph.transfer.values import MOST
from tests.support.contents import TOKENS, everything, exported, imported, parsed
from tests.support.mentions import Life, read_once, recount, shown
from tests.support.server_process import clean_environment, served
from tests.support.transfer import HEADER, large, ndjson, said
from tests.support.untyped import untyped


async def fill(database: Database) -> None:
    """Sessions and users in every state they can be in."""
    messages = [
        NewMessage("human", f"{number % 11}", 3, {"n": number, "deep": {"a": [None, 1.5]}}) for number in range(9)
    ]
    messages[4] = replace(messages[4], name="Zoë", tool_call_id="call", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    messages[3] = replace(messages[3], parts=[{"type": "tool-call", "toolCallId": "call"}])
    messages[5] = replace(messages[5], parts=[{"type": "text", "text": "5", "createdAt": "2026-01-01T00:00:00Z"}])
    await users.create_user(
        database, "mia", {"email": "m@example.com", "metadata": {"plan": {"tier": 1}, "big": 2**40}}
    )
    await users.create_user(database, "idle", {"firstName": "Ida", "lastName": "Le"})
    for session_id in ("a", "b", "c:d", "ü\N{MUSICAL SYMBOL G CLEF}"):
        new = NewMemory(session_id, messages, {"about": session_id}, user_id="mia", idempotency_key="once")
        await add_memory(database, EVERYTHING, new)
        await add_memory(database, EVERYTHING, NewMemory(session_id, messages[:2], user_id="mia"))
    await sessions.create_session(
        database, EVERYTHING, "empty", user_id=None, metadata={"createdAt": "2026-01-01T00:00:00Z"}
    )
    await sessions.update_session(database, EVERYTHING, "a", user_id=None, metadata=None, title="Zoë's", archived=True)
    await mark_read(database, EVERYTHING, "a", 1)
    for _ in range(3):
        await read_once(database)
    found = await database.messages.find({"sessionId": "b", "seq": {"$in": [1, 4, 11]}})
    for message in found:
        await delete_message(database, EVERYTHING, message["_id"])
    await sessions.delete_contents(database, EVERYTHING, "c:d")
    await add_memory(database, EVERYTHING, NewMemory("c:d", messages[:3]))
    await claim(database, Limits(1, 100, 5), lease_seconds=60)
    at = now()
    await database.messages.update_one(
        {"sessionId": "c:d"}, {"$set": {"enrichment": {"attempts": 5, "state": "FAILED", "at": at, "reason": "no"}}}
    )
    for last in (4, 8):
        await untyped(database, "summaries").insert_one(
            {
                "_id": new_uuid(),
                "sessionId": "a",
                "firstSeq": last - 3,
                "lastSeq": last,
                "lastMessageUuid": new_uuid(),
                "source": "LLM",
                "content": "they talked",
                "tokenCount": 2,
                "entities": [],
                "createdAt": at,
                "stale": True,
                "made": {"by": "extractive", "restartedAt": at},
            }
        )
    await database.sessions.update_one({"_id": "a"}, {"$set": {"summarySeq": 8}})
    value = cast("JSONObject", {"b": 1.0, "a": [None, {"$x.y": "2026-01-01T00:00:00Z"}]})
    await items.put_items(
        database,
        EVERYTHING,
        "mia",
        [
            items.NewItem(["a", "b"], "k", value, 60.5, None, ["b"]),
            items.NewItem(["a"], "k", {}, None, at + timedelta(days=1), None),
            items.NewItem(["a"], "z", {}, None, None, []),
        ],
    )
    for session_id in ("ü\N{MUSICAL SYMBOL G CLEF}", "a", "gone"):
        await ensure_number(database, "sessions", cast("SessionDocument", {"_id": session_id}))
    await ensure_number(database, "users", cast("UserDocument", {"_id": "mia"}))
    await database.counters.update_one({"_id": "users"}, {"$inc": {"last": 3}})


async def _free(cost: int) -> None:
    """Charge nothing for a fork."""
    del cost


async def test_a_round_trip_is_equal_field_by_field(database: Database, target: Database) -> None:
    await fill(database)
    await fork_session(database, EVERYTHING, Fork("a", 2, "fork of a"), _free)
    file = await exported(database)
    done = await imported(target, file)
    assert await everything(target) == await everything(database)
    assert (done.users, done.sessions, done.messages, done.items) == (2, 6, 35, 3)
    assert await shown(target) == await recount(target)
    # What the target gives is the same file again.
    assert parsed(await exported(target)) == parsed(file)


@pytest.mark.parametrize("seed", range(3))
async def test_a_round_trip_of_a_random_life_is_equal(database: Database, target: Database, seed: int) -> None:
    life = Life(database, 1000 + seed)
    for _ in range(80):
        await life.step()
    await imported(target, await exported(database))
    assert await everything(target) == await everything(database)


async def test_importing_again_changes_nothing(database: Database, target: Database) -> None:
    await fill(database)
    file = await exported(database)
    await imported(target, file)
    before = await everything(target)
    done = await imported(target, file)
    assert await everything(target) == before
    assert (done.users, done.sessions, done.present) == (0, 0, 5)


async def test_importing_again_leaves_what_has_happened_since(database: Database, target: Database) -> None:
    await fill(database)
    file = await exported(database)
    await imported(target, file)
    life = Life(target, 5)
    for _ in range(3):
        await life.edit()
        await life.delete()
        await read_once(target)
    await add_memory(target, EVERYTHING, NewMemory("a", [NewMessage("human", "1 2", 3)]))
    before = await everything(target)
    assert (await imported(target, file)).present == 5
    assert await everything(target) == before


async def test_a_number_that_is_taken_is_left_out(database: Database, target: Database) -> None:
    await sessions.create_session(target, EVERYTHING, "mine", user_id=None, metadata={})
    await ensure_number(target, "sessions", cast("SessionDocument", {"_id": "mine"}))
    await fill(database)
    await imported(target, await exported(database))
    found = (await everything(target))["sessions"]
    assert {name: found[name].get("number") for name in ("mine", "a", "ü\N{MUSICAL SYMBOL G CLEF}")} == {
        "mine": 1,
        "a": 2,
        "ü\N{MUSICAL SYMBOL G CLEF}": None,
    }


async def test_one_session_comes_with_its_user(database: Database, target: Database) -> None:
    await fill(database)
    await imported(target, await exported(database, ExportSelection(session_id="a")))
    source, found = await everything(database), await everything(target)
    assert list(found["sessions"]) == ["a"]
    assert found["users"] == {"mia": source["users"]["mia"]}
    assert found["messages"] == {key: value for key, value in source["messages"].items() if value["sessionId"] == "a"}


async def test_one_user_comes_with_all_sessions(database: Database, target: Database) -> None:
    await fill(database)
    await add_memory(database, EVERYTHING, NewMemory("other", [NewMessage("human", "1", 3)], user_id="idle"))
    await imported(target, await exported(database, ExportSelection(user_id="mia")))
    found = await everything(target)
    assert list(found["users"]) == ["mia"]
    assert set(found["sessions"]) == {"a", "b", "c:d", "ü\N{MUSICAL SYMBOL G CLEF}"}


@pytest.mark.parametrize("wanted", [ExportSelection(session_id="no"), ExportSelection(user_id="no")])
async def test_what_is_unknown_can_not_be_exported(database: Database, wanted: ExportSelection) -> None:
    with pytest.raises(TransferError, match=r"there is no (session|user) 'no'"):
        await exported(database, wanted)


async def test_an_export_holds_whole_sessions_while_others_write(database: Database, target: Database) -> None:
    async def write(number: int) -> None:
        for step in range(40):
            messages = [NewMessage("human", str(step % 11), 3)] * 3
            await add_memory(
                database, EVERYTHING, NewMemory(f"s{number}", messages, user_id=f"u{number}-{step % 2}"[:2])
            )

    writers = [asyncio.create_task(write(number)) for number in range(4)]
    files = []
    while not all(writer.done() for writer in writers):
        files.append(await exported(database))
        await asyncio.sleep(0.02)
    await asyncio.gather(*writers)
    # An import refuses sessions whose counts are not what comes.
    assert len(files) > 2
    for file in files:
        await imported(target, file, skip_existing=True)
        for owner in (await everything(target))["sessions"].values():
            assert await target.messages.count_documents({"sessionId": owner["_id"]}) == owner["lastSeq"]
        await target.client.drop_database(target.name)


# --- files written by hand


@pytest.mark.parametrize("seconds", [60.0, 0.001])
async def test_an_export_is_one_cut_of_all_sessions_within_its_snapshot(
    database: Database, target: Database, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A writer adds to session a, then to z: at any one moment, z has as many messages as a, or one less."""
    monkeypatch.setattr("graph.store.transfer.documents.SNAPSHOT_SECONDS", seconds)
    monkeypatch.setattr("graph.store.transfer.documents.SESSIONS_AT_ONCE", 1)
    written = asyncio.Event()

    async def write() -> None:
        for number in range(1_000_000):
            for session_id in ("a", "z"):
                await add_memory(database, EVERYTHING, NewMemory(session_id, [NewMessage("human", str(number), 1)]))
            if number == 5:
                written.set()

    for number in range(40):
        await add_memory(database, EVERYTHING, NewMemory(f"b{number}", [NewMessage("human", "x", 1)]))
    writing = asyncio.create_task(write())
    await asyncio.wait_for(written.wait(), 30)
    file = await exported(database)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    found = {record["sessionId"]: record for record in parsed(file) if record["type"] == "session"}
    seqs: dict[str, list[int]] = {"a": [], "z": []}
    for record in parsed(file):
        if record["type"] == "message" and record["sessionId"] in seqs:
            seqs[record["sessionId"]].append(record["seq"])
    for session_id, numbers in seqs.items():
        assert numbers == list(range(1, found[session_id]["lastSeq"] + 1))
    if seconds > 1:
        assert len(seqs["a"]) - len(seqs["z"]) in (0, 1)
    await imported(target, file)
    assert await exported_records(target) == parsed(file)


async def exported_records(database: Database) -> list[Any]:
    return parsed(await exported(database))


async def test_a_file_written_by_hand_is_completed(target: Database) -> None:
    file = ndjson(
        *said("s", "Hello", "How are you?"),
        {"type": "session", "sessionId": "t", "userId": "mia"},
        *said("t", "later", createdAt="2026-01-31T10:30:00+01:00"),
    )
    done = await imported(target, file)
    found = await everything(target)
    assert (done.sessions, done.messages) == (2, 3)
    owner = found["sessions"]["s"]
    assert (owner["lastSeq"], owner["messageCount"], owner["tokenCount"], owner["summarySeq"]) == (2, 2, 9, 0)
    (memory,) = [memory for memory in found["memories"].values() if memory["sessionId"] == "s"]
    assert (memory["firstSeq"], memory["lastSeq"], memory["tokenCount"]) == (1, 2, 9)
    first, second = sorted(
        (message for message in found["messages"].values() if message["sessionId"] == "s"),
        key=lambda message: message["seq"],
    )
    assert (first["seq"], second["seq"], first["memoryId"]) == (1, 2, memory["_id"])
    assert first["enrichment"]["state"] == "PENDING"
    assert found["users"]["mia"]["metadata"] == {}
    at = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    assert found["sessions"]["t"]["createdAt"] == found["sessions"]["t"]["updatedAt"] == at
    assert (await imported(target, file)).present == 2
    assert await everything(target) == found


async def test_a_changed_file_written_by_hand_is_refused(target: Database) -> None:
    await imported(target, ndjson(*said("s", "Hello", "How are you?")))
    before = await everything(target)
    for changed in (said("s", "Hello", "How is she?"), said("s", "Hello", "How are you?", "Well"), said("s", "Hello")):
        with pytest.raises(TransferError, match=r"session 's' is stored with other contents: .* --skip-existing"):
            await imported(target, ndjson(*changed))
        assert (await imported(target, ndjson(*changed), skip_existing=True)).skipped == 1
    assert await everything(target) == before


async def test_a_session_of_others_is_refused(database: Database, target: Database) -> None:
    await fill(database)
    await add_memory(target, EVERYTHING, NewMemory("a", [NewMessage("human", "mine", 3)]))
    before = (await everything(target))["messages"]
    with pytest.raises(TransferError, match="session 'a' is stored with other contents"):
        await imported(target, await exported(database))
    assert (await everything(target))["messages"] == before
    done = await imported(target, await exported(database), skip_existing=True)
    assert (done.skipped, done.sessions) == (1, 4)
    assert before.items() <= (await everything(target))["messages"].items()


async def test_a_file_later_than_what_is_stored_is_refused(database: Database, target: Database) -> None:
    await fill(database)
    await imported(target, await exported(database))
    (message, *_) = await database.messages.find({"sessionId": "a"})
    await delete_message(database, EVERYTHING, message["_id"])
    with pytest.raises(TransferError, match="session 'a' is stored with other contents"):
        await imported(target, await exported(database))


async def test_a_uuid_that_is_in_use_elsewhere_is_refused(target: Database) -> None:
    known = str(uuid.uuid4())
    await imported(target, ndjson(*said("s", "Hello", uuid=known)))
    with pytest.raises(TransferError, match=f"message uuid {known} is in use already, in session 's'"):
        await imported(target, ndjson(*said("t", "Hello", uuid=known)))
    assert list((await everything(target))["sessions"]) == ["s"]


SESSION: Document = {"type": "session", "sessionId": "s"}
MEMORY: Document = {
    "type": "memory",
    "sessionId": "s",
    "uuid": "6f6f0c1e-3f0e-4b5a-8d43-0d6f6a1f1a11",
    "firstSeq": 1,
    "lastSeq": 2,
}


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (b'{"type": "message"}\n', r"line 1: this is not a header: the first line must be such as"),
        (b"\xff\n", r"line 1: this is not a header: the first line must be such as"),
        (b'{"format": "other", "version": 1}\n', r"line 1: the format is 'other'"),
        (b'{"format": "recallql", "version": 2}\n', r"line 1: version 2 is unknown: this RecallQL reads version 1"),
        (HEADER + b"{\n", r"line 2: it is not JSON: EOF"),
        (
            HEADER + b'{"type": "message", "sessionId": "s", "role": "u", "content": "", "status": "DONE"}\n',
            r"line 2: .*status",
        ),
        (HEADER + b'"\xff"\n', r"line 2: it is not JSON"),
        (HEADER + b"5\n", r"line 2: "),
        (HEADER + b"[" * 100_000 + b"\n", r"line 2: it is not JSON: recursion limit"),
        (
            HEADER + b'{"type": "message", "sessionId": "s", "role": "u", "content": "\\ud800"}\n',
            r"line 2: it is not JSON",
        ),
        (ndjson({"type": "other"}), r"line 2: type must be one of user, session, memory, message, summary, item, end"),
        (ndjson({"sessionId": "s"}), r"line 2: type must be one of"),
        (ndjson({"type": "message", "sessionId": "s", "role": "user"}), r"line 2: content is missing"),
        (ndjson(*said("s", "x", metdata={})), r"line 2: the message has the unknown field 'metdata': the fields are"),
        (
            ndjson(*said("s", "x", createdAt="yesterday")),
            r"line 2: createdAt must be a time in the format of RFC 3339, .* not 'yesterday'",
        ),
        (
            ndjson(*said("s", "x", createdAt="2026-01-31T10:30:00")),
            r"line 2: createdAt must be .*: write 2026-01-31T10:30:00Z if that is UTC",
        ),
        (ndjson(*said("s", "x", seq="1")), r"line 2: seq: input should be a valid integer"),
        (ndjson(*said("s", "x", seq=0)), r"line 2: seq: input should be greater than or equal to 1"),
        (ndjson(*said("s", "x", uuid="x")), r"line 2: uuid must be a UUID such as .*, not 'x'"),
        (ndjson(*said("", "x")), r"line 2: sessionId must not be empty"),
        (ndjson(*said("s", "x" * 2_000_000)), r"line 2: content has 2,000,000 bytes, and at most 1,048,576"),
        (ndjson(*said("s", "x", "y", seq=3)), r"line 3: seq is 3 after 3: a session's messages must stand in order"),
        (ndjson(*said("s", "x"), MEMORY), r"line 3: the order is wrong: in a session, write memories, then messages"),
        (ndjson(MEMORY, *said("s", "x", "y", "z")), r"line 5: no memory of session 's' has seq 3 in its range"),
        (ndjson(MEMORY, MEMORY), r"line 3: the memories' ranges must ascend"),
        (ndjson(*said("s", "x"), *said("t", "x"), *said("s", "y")), r"line 4: session 's' came before"),
        (
            ndjson(SESSION | {"messageCount": 2}, *said("s", "x")),
            r"line 3: session 's' ends here with messageCount 1, .* says 2",
        ),
        (
            ndjson(*said("s", "x"), {"type": "end", "users": 0, "sessions": 1, "messages": 2}),
            r"line 3: the end record counts",
        ),
        (HEADER.replace(b"}", b', "exportedAt": "2026-01-31T10:30:00Z"}'), r"line 2: the export was cut off here"),
    ],
)
async def test_a_malformed_line_is_told_and_nothing_of_its_session_kept(
    target: Database, lines: bytes, problem: str
) -> None:
    with pytest.raises(TransferError, match=problem):
        await imported(target, lines)
    found = await everything(target)
    assert "s" not in found["sessions"] or "came before|counts" in problem or found["sessions"]["s"]["lastSeq"] == 1
    assert {message["sessionId"] for message in found["messages"].values()} <= set(found["sessions"])
    assert found["erasures"] == {}


async def test_what_stands_before_a_malformed_line_is_imported(target: Database) -> None:
    file = ndjson(*said("a", "1", "2"), *said("b", "3", "4"))
    with pytest.raises(TransferError, match="line 6: it is not JSON"):
        await imported(target, file + b"{\n")
    assert list((await everything(target))["sessions"]) == ["a"]
    await imported(target, file)
    assert len((await everything(target))["messages"]) == 4


# --- large sessions


async def test_a_large_session_is_equal_after_a_round_trip(database: Database, target: Database) -> None:
    await imported(database, ndjson(*said("a", "1"), *large("big"), *said("c", "1")))
    while await read_once(database):
        if await database.messages.count_documents({"enrichment.state": "DONE"}) > 100:
            break
    file = await exported(database)
    await imported(target, file)
    assert await everything(target) == await everything(database)
    assert await shown(target) == await recount(target)
    assert (await imported(target, file)).present == 3
    changed = file.replace(b'"content":"7"', b'"content":"8"')
    with pytest.raises(TransferError, match="session 'big' is stored with other contents"):
        await imported(target, changed)


@pytest.mark.parametrize("number", [999, 1_000, 1_001, 2_000, 2_001])
async def test_a_session_about_as_large_as_what_is_stored_at_once_is_whole(target: Database, number: int) -> None:
    file = ndjson(*said("a", "1"), *large("big", number), *said("c", "1"))
    assert (await imported(target, file)).messages == number + 2
    assert await target.messages.count_documents({}) == number + 2
    assert (await untyped(target, "sessions").find_one({"_id": "big"}))["messageCount"] == number
    assert await target.erasures.count_documents({}) == 0
    assert (await imported(target, file)).present == 3


async def test_what_is_there_already_is_not_counted_again(target: Database) -> None:
    told = {"type": "message", "sessionId": "b", "role": "user", "content": "told", "tokenCount": 70}
    file = ndjson(*said("a", "one", "two words"), told, *said("b", "counted"))
    done = await imported(target, file)
    assert (done.sessions, done.messages) == (2, 4)
    for session_id, tokens in (
        ("a", TOKENS.count_message("user", "one") + TOKENS.count_message("user", "two words")),
        ("b", 70 + TOKENS.count_message("user", "counted")),
    ):
        found = await target.messages.find({"sessionId": session_id})
        assert sum(message["tokenCount"] for message in found) == tokens
        assert (await untyped(target, "sessions").find_one({"_id": session_id}))["tokenCount"] == tokens
        assert (await untyped(target, "memories").find_one({"sessionId": session_id}))["tokenCount"] == tokens
    (batch,) = Assembly(Source(io.BytesIO(file)), TOKENS, now()).portions()
    assert isinstance(batch, Batch)
    assert [message["tokenCount"] for _, contents in batch.sessions for message in contents.messages] == [0, 0, 70, 0]
    assert set(batch.count) == {"a", "b"}
    assert (await imported(target, file)).present == 2


class Paused(io.BytesIO):
    """A file of which the rest is given when it is told so."""

    def __init__(self, content: bytes, pause_at: int, pause: Any) -> None:
        super().__init__(content)
        self._left = len(b"".join(content.splitlines(keepends=True)[: pause_at - 1]))
        self._pause = pause

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        if self._left == 0:
            self._pause()
        found = super().read(min(size, self._left) if self._left > 0 else size)
        self._left -= len(found) or 1
        return found


async def test_a_large_session_is_not_seen_before_it_is_whole(target: Database) -> None:
    loop = asyncio.get_running_loop()
    seen: list[Any] = []

    async def look() -> None:
        seen.append(await sessions.find_session(target, EVERYTHING, "big"))
        seen.append(await target.messages.count_documents({"sessionId": "big"}))
        seen.append((await claim(target, Limits(10, 1000, 5), lease_seconds=60)).messages)

    file = Paused(ndjson(*large("big")), 2_200, lambda: asyncio.run_coroutine_threadsafe(look(), loop).result())
    await Importer(target, TOKENS).run(file)
    session, stored, claimed = seen
    assert session is None
    assert stored >= 1_000
    assert claimed == []
    found = await everything(target)
    assert found["sessions"]["big"]["messageCount"] == len(found["messages"]) == 2_300
    assert all(set(message["enrichment"]) == {"state", "attempts", "dueAt"} for message in found["messages"].values())
    assert len((await claim(target, Limits(10, 1000, 5), lease_seconds=60)).messages) == 10


async def test_a_session_made_during_its_import_wins(target: Database) -> None:
    loop = asyncio.get_running_loop()

    async def make() -> None:
        await add_memory(target, EVERYTHING, NewMemory("big", [NewMessage("human", "mine", 3)]))

    file = Paused(ndjson(*large("big")), 2_200, lambda: asyncio.run_coroutine_threadsafe(make(), loop).result())
    with pytest.raises(TransferError, match="session 'big' was created meanwhile"):
        await Importer(target, TOKENS).run(file)
    found = await everything(target)
    assert [message["content"] for message in found["messages"].values()] == ["mine"]
    assert found["erasures"] == {}


async def test_a_malformed_line_in_a_large_session_leaves_nothing(target: Database) -> None:
    with pytest.raises(TransferError, match="line 2302"):
        await imported(target, ndjson(*large("big")) + b"{\n")
    assert not any((await everything(target)).values())


# --- interruption


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
async def test_an_interrupted_import_is_resumed_by_running_it_again(
    database: Database, target: Database, mongodb_uri: str, tmp_path: Path, stop: signal.Signals
) -> None:
    small = [record for number in range(300) for record in said(f"s{number:03}", *"12345")]
    await imported(database, ndjson(*small, *large("t"), *said("u", "1")))
    while await database.messages.count_documents({"enrichment.state": "DONE"}) < 50:
        await read_once(database)
    file = tmp_path / "all.ndjson"
    file.write_bytes(await exported(database))
    command = [sys.executable, "-m", "graph", "import"]
    environment = {**clean_environment(), "RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": target.name}
    lines = file.read_bytes().splitlines(keepends=True)
    into_large = next(place for place, line in enumerate(lines) if b'"sessionId":"t"' in line)
    for number, least in ((into_large - 300, 1_000), (into_large + 1_500, 2_500)):
        # A pipe that holds back the rest, so that it is stopped in the middle in any case.
        process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
            command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdin
        assert process.stderr
        process.stdin.write(b"".join(lines[:number]))
        process.stdin.flush()
        for _ in range(600):
            if await target.messages.count_documents({}) >= least:  # committed, which the estimate need not be
                break
            await asyncio.sleep(0.05)
        else:
            process.kill()
            raise AssertionError(process.communicate())
        process.send_signal(stop)
        process.stdin.close()
        assert process.wait(60) != 0
        process.stderr.close()
        found = await everything(target)
        assert "t" not in found["sessions"]
        counts = dict.fromkeys(found["sessions"], 0)
        for message in found["messages"].values():
            if message["sessionId"] != "t":
                counts[message["sessionId"]] += 1
        assert set(counts.values()) == {5}
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile
        [*command, str(file)], env=environment, capture_output=True, text=True, check=True
    )
    assert "sessions were stored already" in done.stderr
    assert await everything(target) == await everything(database)


async def test_what_a_dead_import_left_is_erased(target: Database) -> None:
    importer = Importer(target, TOKENS)
    for portion in Assembly(Source(io.BytesIO(ndjson(*large("big")))), TOKENS, now()).portions():
        assert isinstance(portion, Part)
        if portion.owner is None:  # it dies before the last
            await importer._part(portion)
    assert await target.messages.count_documents({}) == 2_000
    assert await erasure.run_pending(target) == 0
    await target.erasures.update_many({}, {"$set": {"dueAt": now() - timedelta(seconds=1)}})
    assert await erasure.run_pending(target) == 1
    assert not any((await everything(target)).values())


def mentioning(session_id: str, number: int = 40) -> list[Document]:
    """A session that is too large for one transaction, with this number of entities."""
    match = {"start": 0, "end": 1, "text": "x"}
    found = [
        {"key": f"ORG:org {place}", "name": f"Org {place}", "label": "ORG", "matches": [match]}
        for place in range(number)
    ]
    first, *rest = said(session_id, *["x"] * 1_100, entities=[])
    return [{"type": "session", "sessionId": session_id, "userId": "ann"}, {**first, "entities": found}, *rest]


@pytest.mark.parametrize("steps", [1, 40])
async def test_the_entities_of_a_large_session_are_stored_in_steps(
    target: Database, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    for module in (staging, handover):
        monkeypatch.setattr(module, "ENTITIES_AT_ONCE", 40 // steps)
    monkeypatch.setattr(handover, "BATCH", 7)
    await imported(target, ndjson(*mentioning("big")))
    assert await shown(target) == await recount(target)
    assert await target.entities.count_documents({"owner": "u:ann"}) == 40
    assert not await target.handovers.count_documents({})


async def test_an_import_that_dies_before_the_session_leaves_no_entities(
    target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DiedError(Exception):
        pass

    async def die(*_: object) -> None:
        raise DiedError

    monkeypatch.setattr(staging, "touch_users", die)
    importer = Importer(target, TOKENS)
    first, last = Assembly(Source(io.BytesIO(ndjson(*mentioning("big")))), TOKENS, now()).portions()
    assert isinstance(first, Part)
    assert isinstance(last, Part)
    await importer._part(first)
    with pytest.raises(DiedError):
        await importer._part(last)
    assert await target.entities.count_documents({"owner": "s:big"}) == 40
    await target.erasures.update_many({}, {"$set": {"dueAt": now() - timedelta(seconds=1)}})
    assert await erasure.run_pending(target) == 1
    assert not any((await everything(target)).values())
    assert not await target.entities.count_documents({})


async def test_a_stopped_export_is_resumed(database: Database, target: Database, tmp_path: Path) -> None:
    await fill(database)
    whole = await exported(database)
    path = tmp_path / "all.ndjson.partial"
    for cut in range(0, len(whole), len(whole) // 23):
        path.write_bytes(whole[:cut])
        earlier = resumed(path, ExportSelection())
        with path.open("ab" if earlier else "wb") as file:
            await export(database, ExportSelection(), file, resume=earlier)
        assert path.read_bytes().splitlines()[1:] == whole.splitlines()[1:]
    with pytest.raises(TransferError, match="is the beginning of an export with another selection"):
        resumed(path, ExportSelection(user_id="mia"))


# --- the commands


def run(
    *arguments: str, data_dir: Path, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "graph", *arguments, "--data-dir", str(data_dir)],
        input=stdin,
        capture_output=True,
        check=False,
        env={**clean_environment(), **(env or {})},
    )


@pytest.mark.slow
def test_the_commands_work_beside_a_server_and_without_one(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    file = tmp_path / "all.ndjson"
    with served(data_dir, "--enrichment-processes", "0") as server:
        done = run("import", data_dir=data_dir, stdin=ndjson(*said("s", "Hello", "there")))
        assert (done.returncode, done.stderr) == (0, b"imported 0 users, 1 sessions and 2 messages\n")
        query = '{ session(sessionId: "s") { messageCount } }'
        assert server.graphql(query) == {"session": {"messageCount": 2}}
        done = run("export", str(file), data_dir=data_dir)
        assert (done.returncode, done.stdout) == (0, b"")
    done = run("export", data_dir=data_dir)
    assert done.returncode == 0
    assert parsed(done.stdout) == parsed(file.read_bytes())
    assert [entry.name for entry in tmp_path.glob("*.partial")] == []


def test_an_error_is_one_line(tmp_path: Path, mongodb_uri: str) -> None:
    more = {"RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": f"test_{uuid.uuid4().hex}"}
    for arguments, problem in (
        (("import", str(tmp_path / "missing")), b"No such file or directory"),
        (("import", str(tmp_path)), b"Is a directory"),
        (("export", str(tmp_path / "no" / "file")), b"No such file or directory"),
        (("export", "--resume"), b"only an export to a file can be resumed"),
        (("export", "--session", "no"), b"there is no session 'no'"),
    ):
        done = run(*arguments, data_dir=tmp_path, env=more)
        assert done.returncode == 1
        assert done.stderr.startswith(b"recallql: ")
        assert done.stderr.count(b"\n") == 1
        assert problem in done.stderr
        assert done.stdout == b""


async def test_a_reader_that_stops_reading_ends_the_export(
    database: Database, settings: Settings, mongodb_uri: str
) -> None:
    await imported(database, ndjson(*large("big")))
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
        [sys.executable, "-m", "graph", "export"],
        env={**clean_environment(), "RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b"recallql: -: Broken pipe\n"
        assert process.wait(60) == 1


# --- any document

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(TEXT.filter(lambda key: key[:1] != "$"), below, max_size=3)
    ),
    max_leaves=8,
)
METADATA = st.dictionaries(TEXT.filter(lambda key: key[:1] != "$"), JSON, max_size=4)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001 - hypothesis adds it
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
)
UUIDS = st.uuids().map(str)


@st.composite
def documents(draw: st.DrawFn) -> tuple[Document, Document, list[Document]]:
    session_id = draw(TEXT.filter(bool))
    seqs = sorted(draw(st.sets(st.integers(1, MOST), max_size=5)))
    memory: Document = {
        "_id": draw(UUIDS),
        "sessionId": session_id,
        "firstSeq": 1,
        "lastSeq": MOST,
        "tokenCount": draw(st.integers(0, MOST)),
        "metadata": draw(METADATA),
        "createdAt": draw(TIMES),
    }
    messages: list[Document] = [
        {
            "_id": draw(UUIDS),
            "sessionId": session_id,
            "memoryId": memory["_id"],
            "seq": seq,
            "role": draw(TEXT.filter(bool)),
            "content": draw(st.text(st.characters(codec="utf-8"))),
            "metadata": draw(METADATA),
            "tokenCount": draw(st.integers(0, MOST // 5)),
            "entities": [
                {"key": f"GPE:{name}", "name": name, "label": "GPE", "matches": [{"start": 0, "end": 1, "text": name}]}
                for name in draw(st.lists(TEXT, max_size=2))
            ],
            "createdAt": draw(TIMES),
            "updatedAt": draw(TIMES),
            "enrichment": {"state": "PENDING", "attempts": 1, "lease": draw(UUIDS), "dueAt": draw(TIMES)},
        }
        for seq in seqs
    ]
    session = {
        "_id": session_id,
        "uuid": draw(UUIDS),
        "userId": draw(TEXT.filter(bool)),
        "metadata": draw(METADATA),
        "createdAt": draw(TIMES),
        "updatedAt": draw(TIMES),
        "lastSeq": MOST,
        "messageCount": len(messages),
        "tokenCount": sum(message["tokenCount"] for message in messages),
        "summarySeq": 0,
        "erasedSeq": draw(st.integers(0, 5)),
        "closed": {"at": draw(TIMES), "why": draw(TEXT)},
    }
    return session, memory, messages


@given(documents())
def test_any_document_survives_the_file(found: tuple[Document, Document, list[Document]]) -> None:
    session, memory, messages = found
    file = (
        records.header(exportedAt=now())
        + records.lines("session", [session])
        + records.lines("memory", [memory])
        + records.lines("message", messages)
        + records.end(0, 1, len(messages))
    )
    (portion,) = Assembly(Source(io.BytesIO(file)), TOKENS, now()).portions()
    assert isinstance(portion, Batch)
    ((owner, contents),) = portion.sessions
    assert (owner, contents.memories, contents.messages) == (session, [memory], messages)


# --- real load


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_chats_of_chitchat_are_imported_once_however_often(
    tmp_path: Path, mongodb_uri: str, settings: Settings
) -> None:
    from pymongo import MongoClient

    from tests.support import chitchat

    file = tmp_path / "chitchat.ndjson"
    with file.open("wb") as opened:
        chitchat.write(opened)
    more = {"RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database}
    first = run("import", str(file), data_dir=tmp_path, env=more)
    assert first.stderr == b"imported 0 users, 7,168 sessions and 258,145 messages\n"
    again = run("import", str(file), data_dir=tmp_path, env=more)
    assert again.stderr == (b"imported 0 users, 0 sessions and 0 messages; 7,168 sessions were stored already\n")
    with MongoClient[Document](mongodb_uri) as client:
        database = client[settings.database]
        assert database.sessions.count_documents({}) == chitchat.CHATS
        assert database.messages.count_documents({}) == chitchat.MESSAGES
        stored = database.messages.find(
            {}, {"_id": 0, "sessionId": 1, "seq": 1, "role": 1, "content": 1}, sort=[("sessionId", 1), ("seq", 1)]
        )
        written: dict[str, list[tuple[str, str]]] = {}
        for record in chitchat.records():
            if record.get("type") == "message":
                written.setdefault(record["sessionId"], []).append((record["role"], record["content"]))
        for session_id in sorted(written):
            for seq, (role, content) in enumerate(written[session_id], 1):
                expected = {"sessionId": session_id, "seq": seq, "role": role, "content": content}
                assert next(stored) == expected
        client.drop_database(settings.database)
