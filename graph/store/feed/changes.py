"""The changes of the database as a stream: one MongoDB change stream, resumed while the oplog allows.

The events are in the order of the commits, after a majority has them. A `Moment` is MongoDB's cluster time: a read
causally after the moment of an event sees the change of the event.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import Any, TypeAlias

from graph.errors import Unavailable
from graph.store.database import Database
from graph.store.documents import DeletionKind, Document, EnrichmentState
from graph.store.driver.availability import until_available
from graph.store.driver.batches import Batch
from graph.store.driver.client import CODEC, latest_commit, session_of
from graph.store.driver.streams import change_stream, next_batch
from graph.store.driver.types import ChangeStream, Client, OperationFailure, PyMongoError, Transaction
from graph.telemetry.steps import Kind, is_observed

_EVENTS_AT_ONCE = 100
"""Events after which other tasks run: a large transaction brings thousands in one batch."""
Moment: TypeAlias = Any
"""A cluster time; later ones are greater."""

_AWAIT_MS = 1_000  # for which an idle getMore waits in the server

_FINISHED = (EnrichmentState.DONE.value, EnrichmentState.FAILED.value)


class ChangeKind(Enum):
    """The kind of a change."""

    MESSAGE_ADDED = auto()
    MESSAGE_EDITED = auto()
    MESSAGE_ENRICHED = auto()
    MESSAGE_DELETED = auto()
    MESSAGES_CLEARED = auto()
    PIECES_ADDED = auto()
    TYPING = auto()
    STREAM_ENDED = auto()
    SESSION_CREATED = auto()
    SESSION_CHANGED = auto()
    SESSION_DELETED = auto()


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes:
        kind: the kind of the change.
        id: the message's uuid, or the session's id.
        at: the time of the commit.
        document: the message, pieces or notice of typing at the time of the change, the `Stamp` of an edit, or the
            `DeletionDocument` of a deletion.
        committed: the same time by the clock of MongoDB's machine, where deliveries are observed.
    """

    kind: ChangeKind
    id: str
    at: Moment
    document: Document = field(default_factory=dict)
    committed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The start of the stream: it has all commits after `at`, and a read causally after `at` sees all earlier ones.

    Attributes:
        at: the start.
        lost: whether changes before `at` may be missing, because the oplog no longer reaches back to the last event.
    """

    at: Moment
    lost: bool


@asynccontextmanager
async def causally_after(client: Client, moment: Moment | None) -> AsyncIterator[Transaction]:
    """A driver session whose reads see all commits up to the moment."""
    async with session_of(client) as tx:
        if moment is not None:
            tx.advance_operation_time(moment)
        yield tx


async def current_moment(database: Database) -> Moment:
    """Return a moment at which all acknowledged writes are committed.

    Raises:
        Unavailable: MongoDB does not answer.
    """
    return await latest_commit(database.client)


async def watch(
    database: Database, answered: Callable[[], None] = lambda: None
) -> AsyncGenerator[Change | Opened, None]:
    """Yield `Opened`, and then the changes, until the iterator is closed.

    After fail-overs and restarts, the stream resumes. If it can't resume, it yields `Opened` again, with `lost`.

    Args:
        database: the open database.
        answered: called with each answer of MongoDB, which comes about once a second where nothing changes.
    """
    at = await until_available(partial(current_moment, database))
    yield Opened(at, lost=False)
    async with aclosing(_Stream(database, at)) as stream:
        while True:
            batch = await until_available(stream.next_batch)
            answered()
            if stream.began_after != at:
                at = stream.began_after
                yield Opened(at, lost=True)
            for number, event in enumerate(batch.events, 1):
                if number % _EVENTS_AT_ONCE == 0:
                    await asyncio.sleep(0)
                if event["operationType"] == "invalidate":  # the database was dropped
                    await stream.restart()
                    break
                for change in _changes_of(event):
                    seen = is_observed(Kind.DELIVERY)
                    yield replace(change, committed=event.get("wallTime")) if seen else change


class _Stream:
    """The change stream, which is resumed at its end, or else opened at another moment.

    Attributes:
        began_after: the moment after which the stream has all events.
    """

    def __init__(self, database: Database, at: Moment) -> None:
        self.began_after = at
        self._database = database
        self._token: object = None
        self._stream: ChangeStream | None = None
        self._open = AsyncExitStack()

    async def next_batch(self) -> Batch:
        """The next events.

        Raises:
            Unavailable: the stream ended; the next call opens it again.
        """
        try:
            batch = await next_batch(await self._opened())
        except PyMongoError as error:
            refused = _is_refused(error)
            await (self.restart() if refused else self.aclose())
            how = "opened again" if refused else "resumed"
            raise Unavailable(f"the change stream ended and is {how}: {error}") from error
        self._token = batch.token or self._token
        return batch

    async def _opened(self) -> ChangeStream:
        if self._stream is not None:
            return self._stream
        if self.began_after is None:
            self.began_after = await current_moment(self._database)
        start = {"start_at_operation_time": self.began_after} if self._token is None else {"resume_after": self._token}
        raw = self._database.client.get_database(self._database.name, codec_options=CODEC)
        self._stream = await self._open.enter_async_context(
            change_stream(raw, _PIPELINE, max_await_time_ms=_AWAIT_MS, **start)
        )
        return self._stream

    async def restart(self) -> None:
        """Make the next batch begin at the moment of its call."""
        await self.aclose()
        self._token = self.began_after = None

    async def aclose(self) -> None:
        """Close the stream; the next batch resumes it."""
        self._stream = None
        await self._open.aclose()


def _is_refused(error: PyMongoError) -> bool:
    """Whether the same request would fail again: above all, `ChangeStreamHistoryLost`."""
    return (
        isinstance(error, OperationFailure)
        and error.code not in _TRANSIENT_CODES
        and not error.has_error_label("ResumableChangeStreamError")
    )


_TRANSIENT_CODES = frozenset(
    {6, 7, 43, 63, 89, 91, 133, 150, 189, 234, 237, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436}
)
"""Resumable errors by MongoDB's specification of change streams, and a killed cursor (237)."""


_PIPELINE: list[Document] = [
    {
        "$match": {
            "$or": [
                {"ns.coll": "messages", "operationType": {"$in": ["insert", "update", "replace"]}},
                {"ns.coll": "sessions", "operationType": {"$in": ["insert", "update", "replace"]}},
                {"ns.coll": {"$in": ["deletions", "pieces"]}, "operationType": "insert"},
                {"ns.coll": "typing", "operationType": {"$in": ["insert", "replace"]}},
            ]
        }
    },
    # Of an update, only the names of the changed fields are used: the document is read if there are subscribers.
    {
        "$unset": [
            "updateDescription.updatedFields.content",
            "updateDescription.updatedFields.entities",
            "updateDescription.updatedFields.metadata",
            "updateDescription.updatedFields.parts",
            "updateDescription.truncatedArrays",
            "lsid",
            "txnNumber",
        ]
    },
]


_BOOKKEEPING = frozenset({"summarising", "number"})
"""Fields of a session whose changes no reader can see."""


def _session_changes(event: Document, operation: str, key: str, at: Moment) -> list[Change]:
    if operation == "insert":
        return [Change(ChangeKind.SESSION_CREATED, key, at)]
    description = event.get("updateDescription", {})
    paths = [*description.get("updatedFields", ()), *description.get("removedFields", ())]
    names = {path.partition(".")[0] for path in paths}
    if names and names <= _BOOKKEEPING:
        return []
    return [Change(ChangeKind.SESSION_CHANGED, key, at)]


_DELETIONS = {
    DeletionKind.MESSAGE.value: (ChangeKind.MESSAGE_DELETED, "uuid"),
    DeletionKind.CONTENTS.value: (ChangeKind.MESSAGES_CLEARED, "sessionId"),
    DeletionKind.SESSION.value: (ChangeKind.SESSION_DELETED, "sessionId"),
}
"""The kind of change that a tombstone of a kind announces, and the field with the id of its object."""


_STORED = {"pieces": ChangeKind.PIECES_ADDED, "typing": ChangeKind.TYPING}
"""The kind of the change that a new document of a collection is."""


def _changes_of(event: Document) -> list[Change]:
    collection, operation, at = event["ns"]["coll"], event["operationType"], event["clusterTime"]
    key = event["documentKey"]["_id"]
    if collection == "deletions":
        tombstone = event["fullDocument"]
        kind, field_ = _DELETIONS[tombstone["kind"]]
        return [Change(kind, tombstone[field_], at, tombstone)]
    if collection == "sessions":
        return _session_changes(event, operation, key, at)
    if collection in _STORED:
        return [Change(_STORED[collection], key, at, event["fullDocument"])]
    if operation == "insert":
        return [Change(ChangeKind.MESSAGE_ADDED, key, at, event["fullDocument"])]
    if operation == "replace":
        return [Change(ChangeKind.MESSAGE_EDITED, key, at)]
    updated = event["updateDescription"]["updatedFields"]
    changes = []
    if "status" in updated:
        changes.append(Change(ChangeKind.STREAM_ENDED, key, at))
    if "updatedAt" in updated:
        stamp = {name: updated[name] for name in ("sessionRevision", "partOfMany") if name in updated}
        changes.append(Change(ChangeKind.MESSAGE_EDITED, key, at, stamp))
    # MongoDB names the replaced value, which is the whole map or one path in the map.
    state = (updated.get("enrichment") or {}).get("state") or updated.get("enrichment.state")
    if state in _FINISHED:
        changes.append(Change(ChangeKind.MESSAGE_ENRICHED, key, at))
    return changes
