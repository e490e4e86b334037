"""The retention of a user, copied to each of its sessions, even if a process dies meanwhile.

A filter of sessions can't read the users, so each session has the `retentionDays` of its user. The transaction that
gives a session to a user copies the value (`graph.store.users.give_session`). The transaction that changes the value
leaves a job in `retentions`, which changes the sessions in batches and finally removes itself. Each batch writes the
job, so that it conflicts with a later change of the value, whose job begins again.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

from graph.store.database import Database
from graph.store.documents import Document, new_uuid, now
from graph.store.driver.availability import observed, once
from graph.store.driver.transactions import in_transaction
from graph.store.driver.types import Transaction
from graph.store.jobs.documents import RetentionDocument
from graph.store.jobs.lease import Lease

_JOBS = Lease()

BATCH = 1_000
"""Sessions that one transaction changes."""
LEASE = timedelta(seconds=30)
"""Time for which a silent runner holds a job: longer than a batch takes."""


async def schedule(database: Database, user_id: str, tx: Transaction) -> None:
    """Leave a job within the transaction that changes the retention of a user; `settle` runs it."""
    job: RetentionDocument = {"_id": user_id, "uuid": new_uuid(), "dueAt": now() + LEASE}
    await database.retentions.replace_one({"_id": user_id}, job, upsert=True, session=tx)


async def forget(database: Database, user_id: str, tx: Transaction) -> None:
    """Remove the job of a user within the transaction that deletes the user."""
    await database.retentions.delete_one({"_id": user_id}, session=tx)


async def settle(database: Database, user_id: str) -> None:
    """Run the job of a user, and wait at most as long as for a write; the job continues in the background."""
    task = database.run(once("a retention of a user", observed("retentions", partial(finish, database, user_id))))
    await asyncio.wait([task], timeout=database.write_deadline)


async def finish(database: Database, user_id: str) -> None:
    """Run the job of a user to its end, even while another process works on it.

    Raises:
        Unavailable: the database does not answer; the job stays, and is resumed later.
    """
    while (job := await _held(database, {"_id": user_id})) is not None:
        if await _copy_to_all(database, job):
            await database.retentions.delete_one(_same(job))


async def run_pending(database: Database) -> int:
    """Run the jobs that no process holds; return their number."""
    number = 0
    while (job := await _held(database, _JOBS.due(now()))) is not None:
        await finish(database, job["_id"])
        number += 1
    return number


async def _held(database: Database, match: Document) -> RetentionDocument | None:
    return await _JOBS.join(database.retentions, match, seconds=LEASE.total_seconds())


def _same(job: RetentionDocument) -> Document:
    """Return a filter that the job of a later change does not meet."""
    return {"_id": job["_id"], "uuid": job["uuid"]}


async def _copy_to_all(database: Database, job: RetentionDocument) -> bool:
    """Copy the retention to all sessions of the user; return False if a later job does that."""
    after: Document = {}
    while True:

        async def attempt(tx: Transaction, after: Document = after) -> Document | None:
            if not await _JOBS.renew(database.retentions, _same(job), seconds=LEASE.total_seconds(), tx=tx):
                return None
            return await _copy(database, job["_id"], after, tx)

        copied = await in_transaction(database.client, attempt, deadline=database.write_deadline)
        if copied is None:
            return False
        if not copied:
            return True
        after = copied


async def _copy(database: Database, user_id: str, after: Document, tx: Transaction) -> Document:
    """Copy the retention to the next sessions of a user; return the filter of the later sessions, or {}.

    Sessions that are given to the user meanwhile have it already.
    """
    user = await database.users.find_one({"_id": user_id}, {"retentionDays": 1}, session=tx)
    order = [("createdAt", 1), ("_id", 1)]
    found = await database.all_sessions.find(
        {"userId": user_id, **after}, {"createdAt": 1}, sort=order, limit=BATCH, session=tx
    )
    if not found or user is None:
        return {}
    days = user.get("retentionDays")
    change = {"$unset": {"retentionDays": ""}} if days is None else {"$set": {"retentionDays": days}}
    await database.all_sessions.update_many({"_id": {"$in": [one["_id"] for one in found]}}, change, session=tx)
    at, last = found[-1]["createdAt"], found[-1]["_id"]
    return {"$or": [{"createdAt": {"$gt": at}}, {"createdAt": at, "_id": {"$gt": last}}]}
