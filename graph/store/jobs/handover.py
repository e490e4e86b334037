"""Handover: the entities of a session count for its new user, even if a process dies meanwhile.

The transaction that assigns a session to a user counts few entities for the user. For many, it leaves a job in
`handovers`, which counts them in batches and finally removes itself. The `userId` of a session's entity says that it
counts; the transaction that writes the `userId` adds the count, so that each entity is counted once, by any number of
processes. To the user, entities before their handover are like messages before their extraction. Concurrent deletions,
edits and workers use the same field.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from functools import partial

from graph.store.database import Database
from graph.store.documents import Document, new_uuid, now
from graph.store.driver.availability import observed, once
from graph.store.driver.transactions import in_transaction
from graph.store.driver.types import Transaction
from graph.store.entities import ownership
from graph.store.jobs.documents import HandoverDocument
from graph.store.jobs.lease import Lease

_JOBS = Lease()

ENTITIES_AT_ONCE = 2_000
"""Maximum entities that the transaction of an assignment counts for the user."""
BATCH = 1_000
LEASE = timedelta(seconds=30)
"""Time for which a silent runner holds a job: longer than a batch takes."""


async def give_to_user(database: Database, session_id: str, user_id: str, tx: Transaction) -> bool:
    """Within the transaction that assigns a session to a user, count its entities for the user, or leave a job.

    Returns:
        Whether a job is left, which `settle` runs.
    """
    if not await ownership.has_more(database, session_id, ENTITIES_AT_ONCE, tx):
        await ownership.give_to_user(database, session_id, user_id, tx)
        return False
    # This write conflicts with workers that read the session without its user.
    await ownership.lock_entities(database, [session_id], tx)
    job: HandoverDocument = {"_id": session_id, "uuid": new_uuid(), "dueAt": now() + LEASE}
    await database.handovers.replace_one({"_id": session_id}, job, upsert=True, session=tx)
    return True


async def settle(database: Database, session_id: str) -> None:
    """Run the job of a session, and wait at most as long as for a write; the job continues in the background."""
    task = database.run(once("a handover of entities", observed("handovers", partial(finish, database, session_id))))
    await asyncio.wait([task], timeout=database.write_deadline)


async def finish(database: Database, session_id: str) -> None:
    """Run the job of a session to its end, even while another process works on it.

    Raises:
        Unavailable: the database does not answer; the job stays, and is resumed later.
    """
    while (job := await _held(database, {"_id": session_id})) is not None:
        if not await _give_all(database, job):
            await database.handovers.delete_one({"_id": session_id, "uuid": job["uuid"]})


async def run_pending(database: Database) -> int:
    """Run the jobs that no process holds; return their number."""
    number = 0
    while True:
        job = await _held(database, _JOBS.due(now()))
        if job is None:
            return number
        await finish(database, job["_id"])
        number += 1


async def _held(database: Database, match: Document) -> HandoverDocument | None:
    return await _JOBS.join(database.handovers, match, seconds=LEASE.total_seconds())


async def _give_all(database: Database, job: HandoverDocument) -> bool:
    """Count the entities that do not count yet, in batches; return False if all entities count already."""
    found = False
    left = ownership.uncounted(job["_id"])
    async with aclosing(database.entities.batches(left, {"_id": 1}, size=BATCH)) as batches:
        async for entities in batches:
            found = True
            await _give(database, job["_id"], [entity["_id"] for entity in entities])
            if await _held(database, {"_id": job["_id"], "uuid": job["uuid"]}) is None:
                break
    return found


async def _give(database: Database, session_id: str, ids: list[str]) -> None:
    async def attempt(tx: Transaction) -> None:
        await ownership.give_some_to_user(database, session_id, ids, tx)

    await in_transaction(database.client, attempt, deadline=database.write_deadline)
