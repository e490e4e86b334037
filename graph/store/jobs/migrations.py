"""The migrations of the documents of earlier versions, while servers and workers work.

A new migration is a function at the end of `MIGRATIONS`, and raises `graph.store.versions.CURRENT` by one. It is called
for one batch after the other, with the id of the last document that was passed. It may run again for a batch, if its
process ended meanwhile, and for documents that are migrated already. Until a database is migrated, readers meet
documents of both versions.

One process at a time holds the lease. A late one that lost its lease may finish a batch, and can't raise the version.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import TypeAlias, cast

from graph.store.database import Database
from graph.store.documents import (
    Document,
    EnrichmentState,
    MessageDocument,
    SessionDocument,
    SummaryDocument,
    new_uuid,
    now,
)
from graph.store.driver.availability import observed, once
from graph.store.driver.collection import Collection
from graph.store.driver.transactions import in_transaction
from graph.store.driver.types import ReturnDocument, Transaction, UpdateOne
from graph.store.entities.offsets import set_wide
from graph.store.jobs.enrichment import LEASE as CLAIM
from graph.store.jobs.lease import Lease, renewing
from graph.store.reading.projection import projection
from graph.store.service_documents import VersionDocument
from graph.store.titles import words_of
from graph.store.vectors import await_vectors
from graph.store.versions import CURRENT, SCHEMA
from graph.store.visible import Visible

logger = logging.getLogger(__name__)

Migration: TypeAlias = Callable[[Database, str], Awaitable[list[str]]]
"""Migrates the documents after an id, and returns the ids of the batch; none at the end of the collection."""

_JOBS = Lease()
_RUNNING = "migrations\0"
"""The lock of the runner of this process."""
_UNFINISHED: Document = {**SCHEMA, "number": {"$lt": CURRENT}}

BATCH = 200
"""Messages that one transaction changes."""
TEXTS_AT_ONCE = 8
"""Texts, of up to 1 MiB each, that are in memory together."""
LEASE = timedelta(seconds=30)
"""Time for which a silent runner holds the migration."""
_LOGGED_EVERY = 30.0  # seconds

_WIDE: Document = {
    "entities.0": {"$exists": True},
    "$expr": {"$ne": [{"$strLenBytes": "$content"}, {"$strLenCP": "$content"}]},
}


async def resume(database: Database) -> None:
    """Begin the pending migrations in the background, unless a process runs them already."""
    if database.is_migrated or database.write_lock(_RUNNING).locked():
        return
    found = await database.versions.find_one(SCHEMA, {"number": 1})
    if found is not None and found["number"] >= CURRENT:
        database.is_migrated = True
        return
    if await database.versions.find_one({**_UNFINISHED, **_JOBS.due(now())}, {"_id": 1}) is not None:
        database.run(once("the migrations", observed("migrations", partial(run_pending, database))))


async def run_pending(database: Database) -> int:
    """Run the pending migrations, unless another process holds them; return the number of documents.

    The migrations wait for the indexes: with the last migration, the database has all that the version needs.

    Raises:
        Unavailable: the database does not answer; the migrations are resumed later.
    """
    async with database.write_lock(_RUNNING):
        if await database.missing_indexes(LEASE.total_seconds()):
            return 0
        token = new_uuid()
        state = await _JOBS.claim_next(
            database.versions, _UNFINISHED, token, seconds=LEASE.total_seconds(), fields={"newest": 0}
        )
        if state is None:
            return 0
        logger.info(
            "migrating the database from schema version %d to %d, from document %s on; servers and workers go on",
            state["number"],
            CURRENT,
            f"{state.get('passed', 0) + 1:,}",
        )
        held = {**_UNFINISHED, **_JOBS.held(token)}
        async with renewing(
            partial(_JOBS.renew, database.versions, held, seconds=LEASE.total_seconds()), seconds=LEASE.total_seconds()
        ):
            return await _run(database, state, held)


async def _run(database: Database, state: VersionDocument, held: Document) -> int:
    total, logged = 0, time.monotonic()
    following: VersionDocument | None = state
    while following is not None and (number := following["number"]) < CURRENT:
        batch = await MIGRATIONS[number](database, following.get("after", ""))
        total += len(batch)
        following = await _advanced(database, {**held, "number": number}, batch)
        if following is None:
            break
        if following["number"] > number:
            logger.info("the database has schema version %d of %d", number + 1, CURRENT)
        elif time.monotonic() - logged > _LOGGED_EVERY:
            logger.info("migrating to schema version %d: %s documents", number + 1, f"{following.get('passed', 0):,}")
            logged = time.monotonic()
    return total


async def _advanced(database: Database, held: Document, batch: Sequence[str]) -> VersionDocument | None:
    """Store the end of a batch, or of a migration; return the new state, or None if the lease is lost."""
    number = held["number"]
    if batch:
        update: Document = {"$set": {"after": batch[-1]}, "$inc": {"passed": len(batch)}}
    else:
        ended = {"after": "", "passed": ""}
        if number + 1 == CURRENT:
            ended |= dict.fromkeys(("dueAt", "lease", "attempts"), "")
        update = {"$set": {"number": number + 1}, "$unset": ended}
    return await database.versions.find_one_and_update(held, update, return_document=ReturnDocument.AFTER)


async def _migrate_messages(database: Database, after: str) -> list[str]:
    """Let workers embed the messages that were enriched before there were vectors, and set `wide` of their matches."""
    found = await database.messages.find({"_id": {"$gt": after}}, {"_id": 1}, sort=[("_id", 1)], limit=BATCH)
    uuids = [message["_id"] for message in found]
    if uuids:
        await in_transaction(
            database.client, partial(_await_vectors, database, uuids), deadline=database.write_deadline
        )
        await _set_wide_of(database, database.messages, uuids)
    return uuids


async def _await_vectors(database: Database, uuids: Sequence[str], tx: Transaction) -> None:
    with_recall = {one["_id"] for one in await database.recall.find({"_id": {"$in": uuids}}, {"_id": 1}, session=tx)}
    enriched = await database.messages.find(
        {
            "_id": {"$in": [uuid for uuid in uuids if uuid not in with_recall]},
            "enrichment.state": {"$in": [EnrichmentState.DONE.value, EnrichmentState.FAILED.value]},
        },
        {"sessionId": 1, "memoryId": 1, "seq": 1},
        session=tx,
    )
    seen = await _visible(database, enriched, tx)
    if not seen:
        return
    # The messages are written, so that this transaction excludes the ones that delete or edit them.
    these = {"_id": {"$in": [message["_id"] for message in seen]}}
    lease = CLAIM.field("lease")
    await database.messages.update_many(these, {"$set": {lease: new_uuid()}}, session=tx)
    await database.messages.update_many(these, {"$unset": {lease: ""}}, session=tx)
    await await_vectors(database, seen, tx)


async def _visible(database: Database, messages: Sequence[MessageDocument], tx: Transaction) -> list[MessageDocument]:
    ids = list({message["sessionId"] for message in messages})
    found: list[SessionDocument] = await database.all_sessions.find(
        {"_id": {"$in": ids}}, projection(set(Visible.FIELDS)), session=tx
    )
    visible = {session["_id"]: Visible.of(session) for session in found}
    return [
        message
        for message in messages
        if (one := visible.get(message["sessionId"])) is not None and one.sees(message["seq"])
    ]


async def _migrate_summaries(database: Database, after: str) -> list[str]:
    """Set `wide` of the matches of summaries."""
    found = await database.summaries.find({"_id": {"$gt": after}}, {"_id": 1}, sort=[("_id", 1)], limit=BATCH)
    uuids = [summary["_id"] for summary in found]
    await _set_wide_of(database, database.summaries, uuids)
    return uuids


async def _set_wide_of(
    database: Database, collection: Collection[MessageDocument] | Collection[SummaryDocument], uuids: Sequence[str]
) -> None:
    """Count the characters of two units of UTF-16 before each match in texts that are not ASCII alone."""
    texts = cast("Collection[MessageDocument]", collection)
    found = await texts.find({"_id": {"$in": uuids}, **_WIDE}, {"_id": 1})
    for start in range(0, len(found), TEXTS_AT_ONCE):
        chosen = [one["_id"] for one in found[start : start + TEXTS_AT_ONCE]]

        async def attempt(tx: Transaction, chosen: Sequence[str] = chosen) -> None:
            writes = await asyncio.to_thread(
                _widened, await texts.find({"_id": {"$in": chosen}, **_WIDE}, {"content": 1, "entities": 1}, session=tx)
            )
            if writes:
                await texts.bulk_write(writes, ordered=False, session=tx)

        await in_transaction(database.client, attempt, deadline=database.write_deadline)


def _widened(texts: Sequence[MessageDocument]) -> list[UpdateOne]:
    for text in texts:
        set_wide(text["entities"], text["content"])
    return [UpdateOne({"_id": text["_id"]}, {"$set": {"entities": text["entities"]}}) for text in texts]


async def _migrate_sessions(database: Database, after: str) -> list[str]:
    """Store the words of titles."""
    found = await database.all_sessions.find(
        {"_id": {"$gt": after}}, {"_id": 1, "title": 1}, sort=[("_id", 1)], limit=BATCH
    )
    writes = [
        # A title that is changed meanwhile is stored with its own words.
        UpdateOne({"_id": session["_id"], "title": session["title"]}, {"$set": {"titleWords": words}})
        for session in found
        if (words := words_of(session.get("title", "")))
    ]
    if writes:
        await database.all_sessions.bulk_write(writes, ordered=False)
    return [session["_id"] for session in found]


MIGRATIONS: tuple[Migration, ...] = (_migrate_messages, _migrate_summaries, _migrate_sessions)
"""By the version that they begin with."""
