"""Read-only checks of a MongoDB, for `recallql doctor` and the API."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from graph.errors import StartupError, Unavailable
from graph.store.database import Database
from graph.store.documents import Document, now
from graph.store.driver import client as driver
from graph.store.driver.types import Client, DriverName, OperationFailure, PyMongoError
from graph.store.indexes import missing_indexes
from graph.store.jobs import progress
from graph.store.service_documents import VersionDocument
from graph.store.storage import file_system
from graph.store.versions import CURRENT, newer, stored_version


@dataclass(slots=True)
class Checkup:
    """The results of the checks.

    Attributes:
        error: the reason why MongoDB can't be used, or None.
        version: of MongoDB.
        replicated: whether MongoDB runs as a replica set or a sharded cluster.
        writable: whether there is a primary.
        clock: seconds by which the server's clock is ahead of this machine's.
        missing: the missing indexes, by collection.
        empty: whether the database does not exist yet.
        schema: the stored version of the schema; None of a database that no version since the first one has opened.
        newer: the reason why a newer version is needed, or None.
        disk: total and used bytes of its file system, where MongoDB reports them.
        files: bytes of the files of its collections and indexes.
        reusable: bytes of these files that hold no data, and that new data takes; None where MongoDB does not report
            them.
        enrichment: the counts of `graph.store.jobs.progress`; None where the database or a replica set is missing, or
            the counts took too long.
        due_since: the earliest time of storage, or end of a lease, of the pending messages; None without a pending
            message, or where messages are not counted.
        uncounted: the reason why enrichment and erasures were not counted, or None.
        erasures: number of erasures that are pending.
        oplog_hours: hours between the oldest and the newest entry of the oplog; None where the user may not read it.
        memory: resident bytes of mongod; None where the user may not read them.
    """

    error: str | None = None
    version: str = ""
    replicated: bool = False
    writable: bool = False
    clock: float = 0.0
    missing: dict[str, list[str]] = field(default_factory=dict)
    empty: bool = False
    schema: VersionDocument | None = None
    newer: str | None = None
    disk: tuple[int, int] | None = None
    files: int = 0
    reusable: int | None = None
    enrichment: Document | None = None
    due_since: datetime | None = None
    uncounted: str | None = None
    erasures: int = 0
    oplog_hours: float | None = None
    memory: int | None = None


_SHOWN = 200  # characters of the reason of an error


async def check_up(
    uri: str,
    name: str,
    *,
    timeout: float,
    model: str | None = None,
    driver_name: DriverName = "motor",
    retention: timedelta | None = None,
) -> Checkup:
    """Check the MongoDB at `uri` and its database `name`.

    Args:
        uri: the MongoDB.
        name: the database.
        timeout: maximum seconds for the selection of a server.
        model: the name of the model that embeds messages; None without one.
        driver_name: the driver.
        retention: how long a session is kept after its last change; None for no bound.
    """
    try:
        client = driver.connect(uri, pool_size=4, timeout=timeout, driver=driver_name)
    except StartupError as error:
        return Checkup(error=str(error))
    try:
        opened = Database(client, name, write_deadline=0, retention=retention)
        return await _checked(opened, model, reached_within=timeout, counted_within=0)
    finally:
        await driver.close(client)


async def check_up_within(seconds: float, database: Database, *, model: str | None = None) -> Checkup:
    """Check the MongoDB of an open database, and the database.

    Args:
        seconds: maximum seconds; half of them for the counts of enrichment and erasures.
        database: the open database.
        model: the name of the model that embeds messages; None without one.
    """
    with driver.time_limit(seconds):
        return await _checked(database, model, reached_within=seconds, counted_within=seconds / 2)


async def _checked(database: Database, model: str | None, *, reached_within: float, counted_within: float) -> Checkup:
    """Return the results of `_look`, with the error that ended the look.

    Args:
        database: the open database.
        model: the name of the model that embeds messages; None without one.
        reached_within: seconds for the text of an error.
        counted_within: maximum seconds for the counts; 0 for no limit.
    """
    found = Checkup()
    try:
        await _look(database, found, model, counted_within)
    except OperationFailure as error:
        refusal = str(error.details.get("errmsg")) if error.details else str(error)
        found.error = f"it refused: {refusal[:_SHOWN]}"
    except Unavailable as error:
        found.error = str(error)
    except PyMongoError as error:
        reason = str(error).split(" (configured", 1)[0][:_SHOWN]
        found.error = f"it can't be reached within {reached_within:g} seconds: {reason}"
    return found


async def _look(opened: Database, found: Checkup, model: str | None, counted_within: float) -> None:
    client, database = opened.client, opened.client.get_database(opened.name)
    hello: Document = await client.admin.command("hello")
    build: Document = await client.admin.command("buildInfo")
    found.version = build["version"]
    found.replicated = "setName" in hello or hello.get("msg") == "isdbgrid"
    found.writable = bool(hello.get("isWritablePrimary")) or "primary" in hello
    server: datetime = hello["localTime"]
    found.clock = (server.replace(tzinfo=now().tzinfo) - now()).total_seconds()
    found.empty = not await database.list_collection_names()
    if not found.empty:
        found.missing = await missing_indexes(database)
        found.schema = await stored_version(database)
    if found.schema is not None and found.schema["newest"] > CURRENT:
        found.newer = newer(opened.name, found.schema)
    stats: Document = await database.command("dbStats", freeStorage=1)
    found.disk = file_system(stats)
    found.files = int(stats.get("totalSize", 0))
    if "totalFreeStorageSize" in stats:
        found.reusable = int(stats["totalFreeStorageSize"])
    if found.replicated and not found.empty and found.newer is None:
        await _count(opened, found, model, counted_within)
    with suppress(OperationFailure):  # a user that may read the database alone
        found.oplog_hours = await _oplog_hours(client)
    with suppress(OperationFailure):
        status: Document = await client.admin.command("serverStatus")
        found.memory = int(status["mem"]["resident"]) * 2**20


async def _count(opened: Database, found: Checkup, model: str | None, seconds: float) -> None:
    try:
        with driver.time_limit(seconds):
            found.enrichment = await progress.progress(opened, model=model)
            found.due_since = await progress.due_since(opened)
            found.erasures = await opened.erasures.count_documents({})
    except Unavailable as error:
        if not seconds:
            raise
        found.uncounted = f"the messages were not counted within {seconds:g} seconds: {error}"


async def _oplog_hours(client: Client) -> float | None:
    oplog = client.get_database("local")["oplog.rs"]
    first, last = [await oplog.find_one({}, {"ts": 1}, sort=[("$natural", order)]) for order in (1, -1)]
    return None if first is None or last is None else float(last["ts"].time - first["ts"].time) / 3_600
