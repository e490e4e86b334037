"""Reads and writes of whole documents, for export and import.

All sessions that are read within `SNAPSHOT_SECONDS` are read at one moment, even while others write; the next ones, at
a later moment. So each session is whole.

A session is stored with all its contents in one transaction; for a larger one, see `staging`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from datetime import datetime

from graph.errors import Conflict, Unavailable, shown
from graph.store.database import Database
from graph.store.documents import (
    AnyDocument,
    Document,
    EnrichmentState,
    MemoryDocument,
    MessageDocument,
    RecallDocument,
    SessionDocument,
    SummaryDocument,
    UserDocument,
    now,
)
from graph.store.driver.client import session_of
from graph.store.driver.collection import AnyCollection
from graph.store.driver.types import BulkWriteError, OperationFailure, Transaction
from graph.store.entities import mentions
from graph.store.jobs import erasure, expiry
from graph.store.reading.numbers import N, Numbered
from graph.store.titles import with_words
from graph.store.users import new_user
from graph.store.vectors import await_vectors
from graph.store.visible import Visible
from graph.store.writes import write

SESSIONS_AT_ONCE = 200
DOCUMENTS_AT_ONCE = 1_000
SNAPSHOT_SECONDS = 150.0
"""How long one snapshot is read: MongoDB keeps snapshots for 300 seconds, and the last sessions need time, too."""

_SNAPSHOT_GONE = {239, 246}  # SnapshotTooOld, SnapshotUnavailable
_DUPLICATE = 11000


@dataclass(slots=True)
class Contents:
    """Documents of one session."""

    memories: list[MemoryDocument] = field(default_factory=list)
    messages: list[MessageDocument] = field(default_factory=list)
    summaries: list[SummaryDocument] = field(default_factory=list)
    recall: dict[str, RecallDocument] = field(default_factory=dict)
    """By the uuid of the message; of copied messages alone."""


async def count(database: Database, match: Document) -> int:
    """Return the number of matching sessions."""
    return await database.sessions.count_documents(match)


async def read_users(database: Database, match: Document) -> AsyncGenerator[list[UserDocument], None]:
    """Yield the matching users, by id, in lists."""
    async with aclosing(database.users.batches(match, size=DOCUMENTS_AT_ONCE, sort=[("_id", 1)])) as batches:
        async for found in batches:
            yield found


async def read_sessions(
    database: Database, match: Document, *, since: datetime, first_id: str | None = None
) -> AsyncGenerator[tuple[str, Sequence[AnyDocument]], None]:
    """Yield the matching sessions, by id, each followed by its contents.

    Args:
        database: the open database.
        match: a filter of the sessions.
        since: users created since this time are yielded before their sessions.
        first_id: begin with this session.

    Yields:
        The kind of record (`user`, `session`, `memory`, `message`, `summary`) and documents of this kind.

    Raises:
        Unavailable: the database does not answer, or no longer has the snapshot.
    """
    bound: Document = {} if first_id is None else {"_id": {"$gte": first_id}}
    try:
        while True:
            async with session_of(database.client, snapshot=True) as snapshot:
                until = time.monotonic() + SNAPSHOT_SECONDS
                while time.monotonic() < until:
                    sessions = await database.sessions.find(
                        {"$and": [match, bound]}, sort=[("_id", 1)], limit=SESSIONS_AT_ONCE, session=snapshot
                    )
                    if not sessions:
                        return
                    async with aclosing(_with_contents(database, sessions, since, snapshot)) as contents:
                        async for kind, documents in contents:
                            yield kind, documents
                    bound = {"_id": {"$gt": sessions[-1]["_id"]}}
    except OperationFailure as error:
        if error.code not in _SNAPSHOT_GONE:
            raise
        message = "MongoDB no longer has the snapshot of the export, which was read too slowly: resume the export"
        raise Unavailable(message) from error


async def _with_contents(
    database: Database, sessions: Sequence[SessionDocument], since: datetime, snapshot: Transaction
) -> AsyncGenerator[tuple[str, Sequence[AnyDocument]], None]:
    users = list({session["userId"] for session in sessions if session.get("userId") is not None})
    if users:
        new = {"_id": {"$in": users}, "createdAt": {"$gte": since}}
        yield "user", await database.users.find(new, sort=[("_id", 1)], session=snapshot)
    ids = {"sessionId": {"$in": [session["_id"] for session in sessions]}}
    collections: tuple[tuple[str, AnyCollection, str], ...] = (
        ("memory", database.memories, "firstSeq"),
        ("message", database.messages, "seq"),
        ("summary", database.summaries, "lastSeq"),
    )
    async with AsyncExitStack() as opened:
        contents = []
        for kind, collection, place in collections:
            order = [("sessionId", 1), (place, 1)]
            batches = collection.batches(ids, size=DOCUMENTS_AT_ONCE, sort=order, session=snapshot)
            contents.append((kind, place, _Grouped(await opened.enter_async_context(aclosing(batches)))))
        for session in sessions:
            visible = Visible.of(session)
            yield "session", [session]
            for kind, place, grouped in contents:
                async for documents in grouped.of(session["_id"]):
                    # Contents that are being erased are left out.
                    yield kind, [found for found in documents if visible.sees(found[place])]


class _Grouped:
    """Documents in the order of their sessions, returned session by session."""

    def __init__(self, batches: AsyncIterator[list[Document]]) -> None:
        self._batches = batches
        self._held: list[Document] = []
        self._ended = False

    async def of(self, session_id: str) -> AsyncIterator[list[Document]]:
        while True:
            if not self._held and not self._ended:
                self._held = await anext(self._batches, [])
                self._ended = not self._held
            taken = 0
            while taken < len(self._held) and self._held[taken]["sessionId"] == session_id:
                taken += 1
            if taken:
                yield self._held[:taken]
            del self._held[:taken]
            if self._held or self._ended:
                return


async def find_sessions(database: Database, ids: Collection[str]) -> dict[str, SessionDocument]:
    """Return the whole sessions, by id."""
    found = await database.sessions.find({"_id": {"$in": list(ids)}})
    return {session["_id"]: session for session in found}


async def find_users(database: Database, ids: Collection[str]) -> dict[str, UserDocument]:
    """Return the whole users, by id."""
    found = await database.users.find({"_id": {"$in": list(ids)}})
    return {user["_id"]: user for user in found}


async def find_texts(
    database: Database, ids: Collection[str], bounds: tuple[int, int]
) -> dict[tuple[str, int], MessageDocument]:
    """Return the messages of sessions in a range of numbers, by session and number, with the fields that were sent."""
    found = await database.messages.find(
        {"sessionId": {"$in": list(ids)}, "seq": {"$gte": bounds[0], "$lte": bounds[1]}},
        {"sessionId": 1, "seq": 1, "role": 1, "content": 1, "name": 1, "toolCallId": 1, "parts": 1, "metadata": 1}
        | {"createdAt": 1, "updatedAt": 1},
        batch_size=10_000,
    )
    return {(message["sessionId"], message["seq"]): message for message in found}


async def insert_users(database: Database, users: Sequence[UserDocument]) -> None:
    """Store users that do not exist."""

    async def attempt(tx: Transaction) -> None:
        for user in users:
            await erasure.refuse_while_under_way(database, erasure.user_job(user["_id"]), tx)
        await database.users.insert_many(await numbered(database, "users", users, tx), session=tx)

    await write_unique(database, attempt, [])


async def insert_sessions(database: Database, batch: Sequence[tuple[SessionDocument, Contents]]) -> None:
    """Store sessions that do not exist, with all their contents, in one transaction.

    Raises:
        Conflict: a session, or the uuid of a message, memory or summary, exists.
    """
    everything = Contents()
    for _, contents in batch:
        everything.memories += contents.memories
        everything.messages += contents.messages
        everything.summaries += contents.summaries
    sessions = [with_words(session) for session, _ in batch]

    async def attempt(tx: Transaction) -> None:
        await _refuse_erasures(database, sessions, tx)
        await database.sessions.insert_many(await numbered(database, "sessions", sessions, tx), session=tx)
        await touch_users(database, sessions, tx)
        await insert_contents(database, everything, tx)
        mentioning = [(None, message) for message in everything.messages if message["entities"]]
        if mentioning:
            await mentions.replace_all(database, mentioning, tx)

    await write_unique(database, attempt, everything.messages)


async def numbered(database: Database, collection: Numbered, documents: Sequence[N], tx: Transaction) -> list[N]:
    """Return the documents without the numbers in use; their documents get new numbers at their first read."""
    numbers = [document["number"] for document in documents if "number" in document]
    if not numbers:
        return list(documents)
    collection_ = database.sessions if collection == "sessions" else database.users
    found = await collection_.find({"number": {"$in": numbers}}, {"_id": 0, "number": 1}, session=tx)
    taken = {document["number"] for document in found}
    await database.counters.update_one({"_id": collection}, {"$max": {"last": max(numbers)}}, upsert=True, session=tx)
    return [_without_number(document) if document.get("number") in taken else document for document in documents]


def _without_number(document: N) -> N:
    document = document.copy()
    document.pop("number", None)
    return document


async def last_numbers(database: Database) -> dict[str, int]:
    """Return the greatest numbers that sessions and users ever had."""
    found = await database.counters.find({"_id": {"$in": ["sessions", "users"]}})
    return {document["_id"]: document["last"] for document in found}


async def reserve_numbers(database: Database, numbers: dict[str, int]) -> None:
    """Reserve the numbers up to these, by collection, so that new sessions and users get greater ones."""
    for collection, last in numbers.items():
        await database.counters.update_one({"_id": collection}, {"$max": {"last": last}}, upsert=True)


async def _refuse_erasures(database: Database, sessions: Sequence[SessionDocument], tx: Transaction) -> None:
    jobs = [erasure.session_job(session["_id"]) for session in sessions]
    found = await database.erasures.find({"_id": {"$in": jobs}}, {"_id": 1}, limit=1, session=tx)
    for job in found:
        await erasure.refuse_while_under_way(database, job["_id"], tx)
    await expiry.refuse_expired(database, [session["_id"] for session in sessions], tx)


async def touch_users(database: Database, sessions: Sequence[SessionDocument], tx: Transaction) -> None:
    """Write the users of stored sessions, so that the transaction conflicts with their deletion; create missing ones.

    The sessions get the retention of their users.
    """
    users = {session["userId"] for session in sessions if session.get("userId") is not None}
    if not users:
        return
    await hold_users(database, users, tx)
    kept_for = {"_id": {"$in": list(users)}, "retentionDays": {"$exists": True}}
    for user in await database.users.find(kept_for, session=tx):
        theirs = [session["_id"] for session in sessions if session.get("userId") == user["_id"]]
        kept = {"$set": {"retentionDays": user["retentionDays"]}}
        await database.all_sessions.update_many({"_id": {"$in": theirs}}, kept, session=tx)


async def hold_users(database: Database, users: Collection[str], tx: Transaction) -> None:
    """Write these users, so that the transaction conflicts with their deletion, and create missing ones."""
    match = {"_id": {"$in": list(users)}}
    # Two writes without a net effect: a write without a change would not conflict with the deletion.
    touched = await database.users.update_many(match, {"$set": {"importing": True}}, session=tx)
    await database.users.update_many(match, {"$unset": {"importing": ""}}, session=tx)
    if touched.matched_count == len(users):
        return
    found = await database.users.find(match, {"_id": 1}, session=tx)
    missing = set(users) - {user["_id"] for user in found}
    for user_id in missing:
        await erasure.refuse_while_under_way(database, erasure.user_job(user_id), tx)
    at = now()
    await database.users.insert_many([new_user(user_id, at, sessionsGiven=1) for user_id in missing], session=tx)


async def insert_contents(database: Database, contents: Contents, tx: Transaction) -> None:
    """Store contents, within a transaction."""
    if contents.memories:
        await database.memories.insert_many(contents.memories, ordered=False, session=tx)
    if contents.messages:
        await database.messages.insert_many(contents.messages, ordered=False, session=tx)
    if contents.summaries:
        await database.summaries.insert_many(contents.summaries, ordered=False, session=tx)
    # The worker that extracts the entities creates the documents of the others.
    await await_vectors(database, [one for one in contents.messages if not _is_pending(one)], tx, contents.recall)


def _is_pending(message: MessageDocument) -> bool:
    return message["enrichment"]["state"] == EnrichmentState.PENDING.value


async def write_unique(
    database: Database, attempt: Callable[[Transaction], Awaitable[None]], messages: Sequence[MessageDocument]
) -> None:
    """Run a transaction that stores these messages, among others.

    Raises:
        Conflict: an id is in use.
    """
    try:
        await write(database, attempt)
    except BulkWriteError as error:
        details = error.details["writeErrors"][0] if error.details and error.details.get("writeErrors") else {}
        if details.get("code") != _DUPLICATE:
            raise
        raise Conflict(await _what_is_taken(database, details, messages)) from error


async def _what_is_taken(database: Database, details: Document, messages: Sequence[MessageDocument]) -> str:
    found = await database.messages.find_one({"_id": {"$in": [message["_id"] for message in messages]}})
    if found is not None:
        return f"message uuid {found['_id']} is in use already, in session {shown(found['sessionId'])}"
    document = details.get("op", {})
    place = f" of session {shown(document['sessionId'])}" if "sessionId" in document else ""
    return f"{shown(document.get('_id'))}{place} is in use already"
