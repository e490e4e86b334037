"""Erasure: what is deleted leaves no trace, also when a process dies in the middle.

A deletion takes effect in one transaction. What is small goes in it; of what is large, the transaction leaves a job in
`erasures`, which takes away batch after batch and at last itself. Until then nothing of it is visible: a session's
contents are reached through its document, and those at or below its `erasedSeq` count as gone.

A session can't be made anew while old contents are left: the writer finishes the job first. So what a runner finds
while the job is there is old. It looks, then makes sure of the job, and then removes by what it found: a late runner
can't reach what was added after the job's end. No batch holds a transaction open, which a killed process would leave
for MongoDB to end after a minute, with everything locked that it wrote.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

from pymongo import ReturnDocument

from graph.errors import ErasureUnderWay, Unavailable
from graph.store import entities
from graph.store.client import translated_errors
from graph.store.database import Database
from graph.store.documents import Document, EnrichmentState, new_uuid, now
from graph.store.transactions import in_transaction

log = logging.getLogger("recallql")

SMALL = 1_000
"""Most numbers of a session that a deletion's own transaction takes away."""
BATCH = 1_000
SESSIONS_AT_ONCE = 100
"""Sessions of a deleted user that one transaction takes away, with at most `BATCH` numbers together."""
LEASE = timedelta(seconds=10)
"""How long a silent runner keeps a job to itself."""
PAUSE = 5.0
"""Seconds between looks for jobs that a process left."""


def session_job(session_id: str) -> str:
    """The id of the job that erases contents of a session."""
    return f"session:{session_id}"


def user_job(user_id: str) -> str:
    """The id of the job that erases the sessions of a user."""
    return f"user:{user_id}"


async def refuse_while_under_way(database: Database, job: str, session: Any) -> None:
    """Keep a transaction from building on what is being erased.

    Raises:
        ErasureUnderWay: the job is not done.
    """
    if await database.erasures.find_one({"_id": job}, {"_id": 1}, session=session) is not None:
        raise ErasureUnderWay(job)


async def erase_session(database: Database, owner: Document, session: Any, *, small: int = SMALL) -> str | None:
    """Within a transaction, take away a session and its contents.

    Args:
        database: the open database.
        owner: the session with `_id`, `userId`, `lastSeq` and `erasedSeq`.
        session: the driver session.
        small: most numbers of the session for which this transaction does all.

    Returns:
        The id of the job that takes away the rest; None where nothing is left.
    """
    await database.sessions.delete_one({"_id": owner["_id"]}, session=session)
    return await erase_contents(database, owner, session, small=small)


async def erase_contents(database: Database, owner: Document, session: Any, *, small: int = SMALL) -> str | None:
    """Within a transaction, take away all messages, memories and summaries of a session; otherwise as above."""
    session_id, last = owner["_id"], owner["lastSeq"]
    await entities.forget_session(database, session_id, owner.get("userId"), session)
    await database.summaries.delete_many({"sessionId": session_id}, session=session)
    # What a job still has to take away counts as gone already, and stays with it.
    first = owner.get("erasedSeq", 0) + 1
    job = session_job(session_id)
    if last - first < small:
        bounds = {"$gte": first}
        await database.messages.delete_many({"sessionId": session_id, "seq": bounds}, session=session)
        await database.memories.delete_many({"sessionId": session_id, "firstSeq": bounds}, session=session)
        return None
    # A worker that holds one of them meets this write, and stores nothing; nobody begins with one again.
    unfinished = [EnrichmentState.PENDING.value, EnrichmentState.FAILED.value]
    await database.messages.update_many(
        {"sessionId": session_id, "enrichment.state": {"$in": unfinished}},
        {"$unset": {"enrichment": ""}},
        session=session,
    )
    await _schedule(database, job, {"sessionId": session_id}, last, session)
    return job


async def erase_sessions_of(database: Database, user_id: str, session: Any) -> list[str]:
    """Within a transaction, take away the sessions of a user, or as many of them as one transaction can.

    Returns:
        The ids of the jobs that take away the rest.
    """
    owners = await database.sessions.find(
        {"userId": user_id},
        {"userId": 1, "lastSeq": 1, "erasedSeq": 1},
        sort=[("createdAt", 1), ("_id", 1)],
        limit=SESSIONS_AT_ONCE + 1,
        session=session,
    ).to_list(None)
    jobs = []
    left = BATCH
    for owner in owners[:SESSIONS_AT_ONCE]:
        job = await erase_session(database, owner, session, small=left)
        jobs.append(job)
        left -= owner["lastSeq"] if job is None else 0
    if len(owners) > SESSIONS_AT_ONCE:
        await _schedule(database, user_job(user_id), {"userId": user_id}, 0, session)
        jobs.append(user_job(user_id))
    return [job for job in jobs if job is not None]


async def _schedule(database: Database, job: str, subject: Document, last: int, session: Any) -> None:
    at = now()
    await database.erasures.update_one(
        {"_id": job},
        {"$max": {"lastSeq": last}, "$setOnInsert": {**subject, "uuid": new_uuid()}, "$set": {"dueAt": at + LEASE}},
        upsert=True,
        session=session,
    )


async def finish(database: Database, job: str) -> None:
    """Do a job to its end, whoever else is at it.

    Raises:
        Unavailable: the database does not answer; the job stays, and is taken up again.
    """
    with translated_errors():
        while not await _step(database, job):
            pass


async def run_pending(database: Database) -> int:
    """Do the jobs that nobody is at; returns how many there were."""
    number = 0
    while True:
        with translated_errors():
            job = await database.erasures.find_one_and_update(
                {"dueAt": {"$lte": now()}},
                {"$set": {"dueAt": now() + LEASE}},
                sort=[("dueAt", 1)],
                projection={"_id": 1},
                return_document=ReturnDocument.AFTER,
            )
        if job is None:
            return number
        await finish(database, job["_id"])
        number += 1


def begin(database: Database, job: str) -> asyncio.Task[None]:
    """Do a job in the background. Where that fails, `run_pending` takes it up once its lease has run out."""
    return database.run(_finish_or_log(database, job))


async def _finish_or_log(database: Database, job: str) -> None:
    try:
        await finish(database, job)
    except Unavailable as error:
        log.warning("an erasure is put off: %s", error)
    except Exception:
        log.exception("an erasure is put off")


async def keep_running(database: Database, *, pause: float = PAUSE) -> None:
    """Take up, until cancelled, the jobs that a process left: at once, and then every `pause` seconds."""
    while True:
        try:
            await run_pending(database)
        except Unavailable as error:
            log.warning("erasures are put off: %s", error)
        except Exception:
            # What nobody foresaw may pass as well, and what is deleted has to go whatever happened here.
            log.exception("erasures are put off")
        await asyncio.sleep(pause)


async def _step(database: Database, job_id: str) -> bool:
    """One batch; True when the job is done, by whomever. An import whose part this is stores nothing more."""
    job = await database.erasures.find_one_and_update(
        {"_id": job_id},
        {"$set": {"dueAt": now() + LEASE}, "$unset": {"importing": ""}},
        return_document=ReturnDocument.AFTER,
    )
    if job is None:
        return True
    if "userId" in job:
        more = await _more_sessions(database, job)
    else:
        more = await _more_contents(database, job)
    if not more:
        # Another deletion may have given the job more to do since.
        await database.erasures.delete_one({**_same(job), "lastSeq": job["lastSeq"]})
    return False  # the next look tells whether it is gone


def _same(job: Document) -> Document:
    """A filter that a later job for the same session or user does not meet."""
    return {"_id": job["_id"], "uuid": job["uuid"]}


async def _more_sessions(database: Database, job: Document) -> bool:
    async def attempt(session: Any) -> list[str]:
        held = await database.erasures.update_one(_same(job), {"$set": {"dueAt": now() + LEASE}}, session=session)
        return await erase_sessions_of(database, job["userId"], session) if held.matched_count else []

    left = await in_transaction(database.client, attempt, deadline=database.write_deadline)
    for contents in left:
        if contents != job["_id"]:
            await finish(database, contents)
    return job["_id"] in left


async def _more_contents(database: Database, job: Document) -> bool:
    for collection, place, mark in (
        # A uuid of a message may be sent again; a memory's is never given again.
        (database.messages, "seq", "memoryId"),
        (database.memories, "firstSeq", "_id"),
        # The summaries of a session that was there went at once; those of an import that broke off are still here.
        (database.summaries, "lastSeq", "_id"),
    ):
        within = {"sessionId": job["sessionId"]}
        found = await collection.find(
            {**within, place: {"$lte": job["lastSeq"]}}, {place: 1, mark: 1}, sort=[(place, 1)], limit=BATCH
        ).to_list(None)
        if not found:
            continue
        if await database.erasures.find_one(_same(job), {"_id": 1}) is None:
            return False
        span = {"$gte": found[0][place], "$lte": found[-1][place]}
        marks = list({document[mark] for document in found})
        await collection.delete_many({**within, place: span, mark: {"$in": marks}})
        return True
    return False
