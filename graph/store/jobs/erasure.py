"""Erasure: deleted contents are removed completely, even if a process dies meanwhile.

A deletion takes effect in one transaction. It removes small contents; for large ones, it leaves a job in `erasures`,
which removes them in batches, and finally itself. The contents are invisible from the transaction on: readers, workers
and writers reach them through the session's document, which determines the `Visible` part. So the transaction for a
session of many messages is not larger than for one of few.

A deletion of a user also removes the documents of the user's sessions in one transaction, and leaves a job for each,
and one for the user's entities.

A session can't be created again while old contents exist: the writer finishes the job first. So all contents that a
runner finds during the job are old. The runner reads them, then checks the job, and then removes the documents that it
read: a late runner can't remove contents added after the job's end. No batch holds a transaction open, since MongoDB
would keep the locks of a killed process for a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from graph.errors import Conflict, ErasureUnderWay, shown
from graph.store.database import Database
from graph.store.documents import Document, SessionDocument, new_uuid, now
from graph.store.driver.availability import observed, once
from graph.store.driver.transactions import in_transaction
from graph.store.driver.types import Transaction, UpdateOne
from graph.store.entities import ownership
from graph.store.feed.tombstones import add_session_tombstones, forget_user
from graph.store.jobs.documents import ErasureDocument
from graph.store.jobs.lease import Lease
from graph.store.reading.projection import projection
from graph.store.visible import Visible

_JOBS = Lease()
STAGED = {"importing": "", "forking": ""}
"""The fields of a job whose contents are being stored. The erasure removes these fields, so that no more is stored."""

SMALL = 1_000
"""Maximum messages of a session, or of a user's sessions together, that the transaction of a deletion removes."""
BATCH = 1_000
ENTITIES_AT_ONCE = 2_000
"""Maximum entities of a session that one transaction removes."""
FEW = 100
"""Maximum sessions whose contents one transaction removes."""
SESSIONS_AT_ONCE = 10_000
"""Maximum sessions of a deleted user that one transaction makes invisible."""
ITEMS_AT_ONCE = 100
"""Maximum items of a user that one transaction deletes: each may have 256 KiB."""
LEASE = timedelta(seconds=10)
"""Time for which a silent runner holds a job."""


def session_job(session_id: str) -> str:
    """Return the id of the job that erases contents of a session."""
    return f"session:{session_id}"


def session_of(job: str) -> str | None:
    """Return the session whose contents a job erases; None for the job of a user."""
    return job.removeprefix("session:") if job.startswith("session:") else None


def user_job(user_id: str) -> str:
    """Return the id of the job that erases the sessions of a user."""
    return f"user:{user_id}"


async def refuse_while_under_way(database: Database, job: str, tx: Transaction) -> None:
    """Refuse to continue a transaction whose data is being erased.

    Raises:
        Conflict: the session is a fork that is being made.
        ErasureUnderWay: the job is not done.
    """
    found = await database.erasures.find_one({"_id": job}, {"forking": 1, "sessionId": 1}, session=tx)
    if found is None:
        return
    if "forking" in found:
        message = f"session {shown(found['sessionId'])} is being made by forkSession: wait until it exists"
        raise Conflict(message)
    raise ErasureUnderWay(job)


async def erase_session(
    database: Database, session: SessionDocument, user_id: str | None, tx: Transaction
) -> str | None:
    """Within a transaction, take away a session and its contents.

    Args:
        database: the open database.
        session: a document with `lastSeq` and the paths that `Visible.of` reads; with `userId` if its entities
            still count for the user.
        user_id: the user of the session.
        tx: the transaction.

    Returns:
        The id of the job for the remaining contents, or None.
    """
    await _remove_sessions(database, [session["_id"]], user_id, tx)
    return await erase_contents(database, session, tx, gone=True)


async def _remove_sessions(
    database: Database, session_ids: Collection[str], user_id: str | None, tx: Transaction
) -> None:
    await database.all_sessions.delete_many({"_id": {"$in": list(session_ids)}}, session=tx)
    await database.handovers.delete_many({"_id": {"$in": list(session_ids)}}, session=tx)
    await database.typing.delete_many({"sessionId": {"$in": list(session_ids)}}, session=tx)
    await add_session_tombstones(database, session_ids, user_id, tx)


async def erase_contents(
    database: Database, session: SessionDocument, tx: Transaction, *, gone: bool = False
) -> str | None:
    """Within a transaction, delete all messages, memories and summaries of a session, like `erase_session`.

    The entities of many messages are left to `forget_entities`, which must follow.
    """
    session_id, last = session["_id"], session["lastSeq"]
    job = session_job(session_id)
    many = await ownership.has_more(database, session_id, ENTITIES_AT_ONCE, tx)
    if many:
        await ownership.lock_entities(database, [session_id], tx)
    else:
        await ownership.forget_session(database, session_id, session.get("userId"), tx)
    # Contents that a job has yet to remove are invisible already, and stay with the job.
    visible = Visible.of(session)
    if last - visible.first_seq < SMALL:
        for collection, place in _contents(database):
            await collection.delete_many(visible.match(place), session=tx)
        if not many:
            return None
    kind = {} if not many else {"entities": True, "gone": True} if gone else {"entities": True}
    scheduled = _scheduled(job, {"sessionId": session_id}, last, now() + LEASE, **kind)
    await database.erasures.bulk_write([scheduled], session=tx)
    return job


async def forget_entities(database: Database, job_id: str) -> None:
    """Remove the entities that the transaction of a deletion left, in batches of a fixed size.

    Raises:
        Unavailable: the database does not answer; the job continues later.
    """
    job = await database.erasures.find_one({"_id": job_id})
    while job is not None and await _more_entities(database, job):
        pass


def _contents(database: Database) -> tuple[tuple[Any, str], ...]:
    """Return the collections of a session's contents, with the path of a document's number."""
    return (
        (database.messages, "seq"),
        (database.recall, "seq"),  # after the messages: a worker stores a vector's document with its message
        (database.memories, "firstSeq"),
        (database.summaries, "lastSeq"),
        (database.streams, "seq"),
        (database.pieces, "seq"),  # after the streams: a writer of pieces changes its stream in the same transaction
    )


async def erase_sessions_of(database: Database, user_id: str, tx: Transaction) -> list[str]:
    """Within a transaction, remove the sessions and entities of a user, or make many of them invisible.

    Returns:
        The ids of the jobs for the rest. If `user_job` is among them, sessions may still be visible: call
        `hide_sessions_of`.
    """
    sessions = await _sessions_of(database, user_id, FEW, tx)
    small = len(sessions) <= FEW and sum(session["lastSeq"] for session in sessions) <= SMALL
    small = small and not await _has_many_items(database, user_id, tx)
    if small and not await ownership.has_more_of_user(database, user_id, max(0, ENTITIES_AT_ONCE - 1), tx):
        await ownership.forget_user(database, user_id, tx)
        await database.user_items.delete_many({"userId": user_id}, session=tx)
        # Nothing has to be counted for a user that is gone.
        left = [await erase_session(database, session, user_id, tx) for session in sessions]
        return [job for job in left if job is not None]
    job = user_job(user_id)
    await database.erasures.bulk_write([_scheduled(job, {"userId": user_id}, 0, now() + LEASE)], session=tx)
    await _hide_sessions(database, user_id, tx)
    return [job]


async def _has_many_items(database: Database, user_id: str, tx: Transaction) -> bool:
    count = await database.user_items.count_documents({"userId": user_id}, limit=ITEMS_AT_ONCE + 1, session=tx)
    return count > ITEMS_AT_ONCE


async def _delete_items(database: Database, user_id: str, tx: Transaction) -> bool:
    """Within a transaction, delete some items of a deleted user; return whether there were any."""
    found = await database.user_items.find({"userId": user_id}, {"_id": 1}, limit=ITEMS_AT_ONCE, session=tx)
    await database.user_items.delete_many({"_id": {"$in": [item["_id"] for item in found]}}, session=tx)
    return bool(found)


async def hide_sessions_of(database: Database, user_id: str) -> None:
    """Make the sessions invisible that the transaction of `erase_sessions_of` left.

    Raises:
        Unavailable: the database does not answer; the job continues later.
    """
    job = await database.erasures.find_one({"_id": user_job(user_id)})
    while job is not None and await _under(database, job, lambda tx: _hide_sessions(database, user_id, tx)):
        pass


async def _sessions_of(database: Database, user_id: str, limit: int, tx: Transaction) -> list[SessionDocument]:
    """Sessions without their `userId`."""
    found = await database.all_sessions.find(
        {"userId": user_id},
        projection({"lastSeq", *Visible.FIELDS}),
        sort=[("createdAt", 1), ("_id", 1)],
        limit=limit + 1,
        session=tx,
    )
    return found


async def _hide_sessions(database: Database, user_id: str, tx: Transaction) -> bool:
    """Within a transaction, remove a user's sessions, and leave a job for each; return whether more remain.

    Their entities stay for the user's job, before the end of which the user can't be created again.
    """
    sessions = await _sessions_of(database, user_id, SESSIONS_AT_ONCE, tx)
    taken = sessions[:SESSIONS_AT_ONCE]
    if not taken:
        return False
    # First, since these writes conflict with the writers of the sessions.
    ids = [session["_id"] for session in taken]
    await _remove_sessions(database, ids, user_id, tx)
    await ownership.lock_entities(database, ids, tx)
    due = now()
    await database.erasures.bulk_write(
        [
            _scheduled(session_job(session["_id"]), {"sessionId": session["_id"]}, session["lastSeq"], due, whole=True)
            for session in taken
        ],
        ordered=False,
        session=tx,
    )
    return len(sessions) > len(taken)


def _scheduled(job: str, subject: Document, last: int, due: datetime, **more: bool) -> UpdateOne:
    """Return the write that creates a job.

    Args:
        job: its id.
        subject: the session or user.
        last: the greatest erased number of the session.
        due: the time from which any process may take the job.
        more: `entities` to erase the session's entities without later mentions, or all of a `gone` session; `whole` if
            the user is deleted, too, so that the entities count for no user.
    """
    return UpdateOne(
        {"_id": job},
        {
            "$max": {"lastSeq": last},
            "$setOnInsert": {**subject, "uuid": new_uuid()},
            "$set": {"dueAt": due, **more},
        },
        upsert=True,
    )


async def finish(database: Database, job: str) -> None:
    """Run a job to its end, even while another process works on it.

    Raises:
        Unavailable: the database does not answer; the job stays, and is resumed later.
    """
    while not await _step(database, job):
        pass


async def run_pending(database: Database) -> int:
    """Run the jobs that no process holds; return their number."""
    number = 0
    while True:
        if small := await _finish_small(database):
            number += small
            continue
        job = await _JOBS.join(database.erasures, _JOBS.due(now()), seconds=LEASE.total_seconds())
        if job is None:
            return number
        await finish(database, job["_id"])
        number += 1


def begin(database: Database, job: str) -> asyncio.Task[None]:
    """Run a job in the background. If it fails, `run_pending` resumes it after the end of its lease."""
    return database.run(once("an erasure", observed("erasures", partial(_finish_with_sessions, database, job))))


async def _finish_with_sessions(database: Database, job: str) -> None:
    await finish(database, job)
    if job.startswith("user:"):
        await run_pending(database)  # the jobs of its sessions


async def _finish_small(database: Database) -> int:
    """Run several due jobs of small sessions in one transaction: one by one, they take 12 times as long."""
    chosen = {**_JOBS.due(now()), "whole": True, "entities": {"$exists": False}, "lastSeq": {"$lte": SMALL}}
    if await database.erasures.find_one(chosen, {"_id": 1}) is None:
        return 0

    async def attempt(tx: Transaction) -> int:
        found = await database.erasures.find(chosen, sort=[("dueAt", 1)], limit=FEW, session=tx)
        jobs: list[ErasureDocument] = []
        left = BATCH
        for job in found:
            left -= job["lastSeq"]
            if jobs and left < 0:
                break
            jobs.append(job)
        await database.erasures.delete_many({"_id": {"$in": [job["_id"] for job in jobs]}}, session=tx)
        session_ids = [job["sessionId"] for job in jobs]
        for collection, _ in _contents(database):
            await collection.delete_many({"sessionId": {"$in": session_ids}}, session=tx)
        await ownership.forget_sessions(database, session_ids, tx)
        return len(jobs)

    return await in_transaction(database.client, attempt, deadline=database.write_deadline)


async def _step(database: Database, job_id: str) -> bool:
    """Run one batch; return whether the job is done, by any process. An import with this job then stores no more."""
    job = await _JOBS.join(database.erasures, {"_id": job_id}, seconds=LEASE.total_seconds(), unset=STAGED)
    if job is None:
        return True
    more = await (_more_of_user if "userId" in job else _more_of_session)(database, job)
    if not more:
        if "userId" in job:
            await forget_user(database, job["userId"])
        # Another deletion may have extended the job since.
        same = {**_same(job), **{name: job.get(name) for name in ("lastSeq", "whole", "entities", "gone")}}
        await database.erasures.delete_one(same)
    return False  # the next step finds out whether the job is done


def _same(job: ErasureDocument) -> Document:
    """Return a filter that a later job for the same session or user does not meet."""
    return {"_id": job["_id"], "uuid": job["uuid"]}


async def _under(database: Database, job: ErasureDocument, work: Callable[[Transaction], Awaitable[bool]]) -> bool:
    """Run a part of a job in a transaction that checks the job; return False if the job or its work is done."""

    async def attempt(tx: Transaction) -> bool:
        held = await _JOBS.renew(database.erasures, _same(job), seconds=LEASE.total_seconds(), tx=tx)
        return held and await work(tx)

    return await in_transaction(database.client, attempt, deadline=database.write_deadline)


async def _more_of_user(database: Database, job: ErasureDocument) -> bool:
    user_id = job["userId"]
    parts = (
        lambda tx: _hide_sessions(database, user_id, tx),
        lambda tx: ownership.forget_some_of_user(database, user_id, BATCH, tx),
        lambda tx: _delete_items(database, user_id, tx),
    )
    for part in parts:
        if await _under(database, job, part):
            return True
    return False


async def _more_of_session(database: Database, job: ErasureDocument) -> bool:
    if "entities" in job and await _more_entities(database, job):
        return True  # first, since their user exists and may read them
    within = {"sessionId": job["sessionId"]}
    for collection, place in _contents(database):
        # A uuid of a message may be sent again; a memory's is never given again.
        mark = "memoryId" if place == "seq" else "_id"
        found = await collection.find(
            {**within, place: {"$lte": job["lastSeq"]}}, {place: 1, mark: 1}, sort=[(place, 1)], limit=BATCH
        )
        if not found:
            continue
        if await database.erasures.find_one(_same(job), {"_id": 1}) is None:
            return False
        span = {"$gte": found[0][place], "$lte": found[-1][place]}
        marks = list({document[mark] for document in found})
        await collection.delete_many({**within, place: span, mark: {"$in": marks}})
        return True
    return "entities" not in job and await _more_entities(database, job)


async def _more_entities(database: Database, job: ErasureDocument) -> bool:
    if "whole" not in job and "entities" not in job:
        return False
    session_id, last = job["sessionId"], None if "whole" in job or "gone" in job else job["lastSeq"]
    return await _under(
        database, job, lambda tx: ownership.forget_some_of_session(database, session_id, last, BATCH, tx)
    )
