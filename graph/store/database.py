"""The open database: the handle that every function of the store takes."""

from __future__ import annotations

import asyncio
import logging
import re
import weakref
from collections import deque
from collections.abc import Coroutine
from contextvars import Context
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tenacity import AsyncRetrying, before_sleep_log, retry_if_exception_type, wait_fixed

from graph.errors import StartupError
from graph.store.documents import (
    DeletionDocument,
    MemoryDocument,
    MessageDocument,
    RecallDocument,
    SessionDocument,
    SummaryDocument,
    UserDocument,
)
from graph.store.driver import client as driver
from graph.store.driver.collection import Collection, collection_of
from graph.store.driver.presence import Presence
from graph.store.driver.types import Client, DriverName, OperationFailure, PyMongoError, RawDatabase
from graph.store.entities.documents import EntityCountDocument
from graph.store.expiry import existing
from graph.store.indexes import ensure_indexes, missing_indexes
from graph.store.item_documents import ItemDocument
from graph.store.jobs.documents import ErasureDocument, ForkDocument, HandoverDocument, RetentionDocument
from graph.store.service_documents import (
    CounterDocument,
    ModelDocument,
    ProcessDocument,
    ServiceKeyDocument,
    VersionDocument,
)
from graph.store.streams.documents import PiecesDocument, StreamDocument, TypingDocument
from graph.store.versions import admit

logger = logging.getLogger(__name__)

OLDEST_MONGODB = (6, 0)
_MOST_SETTLED = 10_000
_INDEX_SECONDS = 10.0
"""Seconds that the opening waits for new indexes. The build in a large database continues in the background."""
_INDEX_PAUSE = 5.0  # seconds before a failed build is repeated
_SHOWN = 300  # characters of the driver's reason, which may repeat a long connection string


@dataclass(slots=True)
class Database:
    """An open database.

    Attributes:
        client: the driver's client.
        name: the database's name.
        write_deadline: seconds for which a contended write is tried again.
        tombstones_kept: how long the announcement of a deletion is kept for subscribers that come back.
        retention: how long a session is kept after its last change; None for no bound.
        silence: seconds for which MongoDB may answer nothing until reads are refused; 0 disables the limit.
        entity_tools: whether entities are extracted from the arguments and results of tools, too.
        is_migrated: whether this process knows that the documents have the current version of the schema.
        presence: refuses these reads.
        sessions: the sessions that have not expired: an expired one is as deleted to all who read or write it.
        all_sessions: the expired sessions, too, for upserts and for erasures.
        background: the background tasks of this process, which end when the database is closed.
        settled: sessions with their users that this process knows to belong together, as far as it remembers.
    """

    client: Client
    name: str
    write_deadline: float
    tombstones_kept: timedelta = timedelta(days=7)
    retention: timedelta | None = None
    silence: float = 0.0
    entity_tools: bool = False
    is_migrated: bool = field(init=False, default=False)
    presence: Presence = field(init=False)
    sessions: Collection[SessionDocument] = field(init=False)
    all_sessions: Collection[SessionDocument] = field(init=False)
    memories: Collection[MemoryDocument] = field(init=False)
    messages: Collection[MessageDocument] = field(init=False)
    recall: Collection[RecallDocument] = field(init=False)
    summaries: Collection[SummaryDocument] = field(init=False)
    streams: Collection[StreamDocument] = field(init=False)
    pieces: Collection[PiecesDocument] = field(init=False)
    typing: Collection[TypingDocument] = field(init=False)
    users: Collection[UserDocument] = field(init=False)
    user_items: Collection[ItemDocument] = field(init=False)
    erasures: Collection[ErasureDocument] = field(init=False)
    handovers: Collection[HandoverDocument] = field(init=False)
    forks: Collection[ForkDocument] = field(init=False)
    retentions: Collection[RetentionDocument] = field(init=False)
    counters: Collection[CounterDocument] = field(init=False)
    models: Collection[ModelDocument] = field(init=False)
    versions: Collection[VersionDocument] = field(init=False)
    processes: Collection[ProcessDocument] = field(init=False)
    settled: set[tuple[str, str]] = field(init=False, default_factory=set)
    service_keys: Collection[ServiceKeyDocument] = field(init=False)
    deletions: Collection[DeletionDocument] = field(init=False)
    entities: Collection[EntityCountDocument] = field(init=False)
    background: set[asyncio.Task[None]] = field(init=False, default_factory=set)
    _locks: weakref.WeakValueDictionary[str, asyncio.Lock] = field(
        init=False, default_factory=weakref.WeakValueDictionary
    )

    _queues: weakref.WeakValueDictionary[str, deque[Any]] = field(
        init=False, default_factory=weakref.WeakValueDictionary
    )

    def __post_init__(self) -> None:
        database = self.client.get_database(self.name)
        self.presence = Presence(self.client, self.silence)
        self.sessions = collection_of(database, "sessions", SessionDocument, existing=existing(self.retention))
        self.all_sessions = collection_of(database, "sessions", SessionDocument)
        self.memories = collection_of(database, "memories", MemoryDocument)
        self.messages = collection_of(database, "messages", MessageDocument)
        self.recall = collection_of(database, "recall", RecallDocument)
        self.summaries = collection_of(database, "summaries", SummaryDocument)
        self.streams = collection_of(database, "streams", StreamDocument)
        self.pieces = collection_of(database, "pieces", PiecesDocument)
        self.typing = collection_of(database, "typing", TypingDocument)
        self.users = collection_of(database, "users", UserDocument)
        self.user_items = collection_of(database, "items", ItemDocument)
        self.erasures = collection_of(database, "erasures", ErasureDocument)
        self.handovers = collection_of(database, "handovers", HandoverDocument)
        self.forks = collection_of(database, "forks", ForkDocument)
        self.retentions = collection_of(database, "retentions", RetentionDocument)
        self.service_keys = collection_of(database, "serviceKeys", ServiceKeyDocument)
        self.deletions = collection_of(database, "deletions", DeletionDocument)
        self.entities = collection_of(database, "entities", EntityCountDocument)
        self.counters = collection_of(database, "counters", CounterDocument)
        self.models = collection_of(database, "models", ModelDocument)
        self.versions = collection_of(database, "versions", VersionDocument)
        self.processes = collection_of(database, "processes", ProcessDocument)

    def write_lock(self, session_id: str) -> asyncio.Lock:
        """Return the lock for this process's writers to one session.

        Without the lock, the writers would conflict in MongoDB, and each conflict repeats a transaction.
        """
        lock = self._locks.get(session_id)
        if lock is None:
            lock = self._locks[session_id] = asyncio.Lock()
        return lock

    def append_queue(self, key: str) -> deque[Any]:
        """Return the appends of this process to one message that wait for each other, in their order."""
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
        return queue

    def settle(self, session_id: str, user_id: str) -> None:
        """Cache that a session belongs to a user."""
        if len(self.settled) >= _MOST_SETTLED:
            self.settled.clear()
        self.settled.add((session_id, user_id))

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in the background, at most until the database is closed."""
        # A new context, so that the time limit of the request does not bound the task.
        task = asyncio.create_task(work, context=Context())
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task

    async def ping(self, seconds: float) -> None:
        """Send a ping to MongoDB.

        Args:
            seconds: the maximum time, the selection of a server included.

        Raises:
            Unavailable: MongoDB did not answer in time.
        """
        await driver.require_answer(self.client, seconds)

    async def missing_indexes(self, seconds: float) -> dict[str, list[str]]:
        """Return the names of the missing indexes, by collection.

        Args:
            seconds: the maximum time, the selection of a server included.

        Raises:
            Unavailable: MongoDB did not answer in time.
        """
        with driver.answering_within(seconds):
            return await missing_indexes(self.client.get_database(self.name))

    async def close(self) -> None:
        """Cancel the background tasks, and close the connections."""
        for task in self.background:
            task.cancel()
        await asyncio.gather(*self.background, return_exceptions=True)
        await driver.close(self.client)


async def open_database(
    uri: str,
    *,
    name: str,
    pool_size: int = 32,
    timeout: float = 10.0,
    write_deadline: float = 20.0,
    driver_name: DriverName = "motor",
    tombstones_kept: timedelta = timedelta(days=7),
    retention: timedelta | None = None,
    silence: float = 0.0,
    entity_tools: bool = False,
) -> Database:
    """Connect, check the deployment and the version of the schema, and create missing collections and indexes.

    Raises:
        StartupError: MongoDB can't be reached, is too old, or is neither a replica set nor a sharded cluster; or a
            newer version has opened the database.
    """
    await driver.load(driver_name)
    client = driver.connect(uri, pool_size=pool_size, timeout=timeout, driver=driver_name)
    try:
        # One after the other: of two concurrent checks, the error of the second could be lost.
        _check_deployment(await client.admin.command("hello"), await client.admin.command("buildInfo"))
        database = Database(client, name, write_deadline, tombstones_kept, retention, silence, entity_tools)
        await admit(client.get_database(name))
        await _build_indexes(database)
    except OperationFailure as error:
        await driver.close(client)
        message = f"MongoDB refused: {error.details.get('errmsg') if error.details else error}"
        raise StartupError(message) from error
    except PyMongoError as error:
        await driver.close(client)
        reason = re.split(r" \(configured timeouts|, Timeout: ", str(error), maxsplit=1)[0][:_SHOWN]
        message = f"MongoDB can't be reached within {timeout:g} seconds: check RECALLQL_MONGODB_URI ({reason})"
        raise StartupError(message) from error
    except StartupError:
        await driver.close(client)
        raise
    return database


async def _build_indexes(database: Database) -> None:
    """Create the missing indexes, and wait a time for them: writes to a collection continue during a build."""
    raw = database.client.get_database(database.name)
    building = database.run(ensure_indexes(raw))
    await asyncio.wait([building], timeout=_INDEX_SECONDS)
    if building.done():
        await building
        return
    logger.info("MongoDB is building indexes: the process goes on, and queries that need them are slow meanwhile")
    database.run(_finish_indexes(raw, building))


async def _finish_indexes(raw: RawDatabase, building: asyncio.Task[None]) -> None:
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(PyMongoError),
        wait=wait_fixed(_INDEX_PAUSE),
        before_sleep=before_sleep_log(logger, logging.WARNING),
    )
    async for attempt in attempts:
        with attempt:
            await (building if attempt.retry_state.attempt_number == 1 else ensure_indexes(raw))
    logger.info("all indexes are built")


def _check_deployment(hello: dict[str, Any], build: dict[str, Any]) -> None:
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        message = (
            "the MongoDB at RECALLQL_MONGODB_URI is a standalone server, and transactions and change streams need a"
            " replica set: start mongod with --replSet rs0, run rs.initiate() once in mongosh, and add ?replicaSet=rs0"
            " to the URI"
        )
        raise StartupError(message)
    version = tuple(build["versionArray"][:2])
    if version < OLDEST_MONGODB:
        needed = ".".join(map(str, OLDEST_MONGODB))
        message = f"MongoDB {build['version']} is too old: RecallQL needs {needed} or newer"
        raise StartupError(message)
