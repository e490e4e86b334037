"""Handover: the entities of a session count for the user whom it is given to, also when a process dies in the middle.

The transaction that gives a session to a user counts its entities for the user where they are few. Where they are many,
it leaves a job in `handovers`, which counts batch after batch and at last removes itself. Each entity of a session says
by its `userId` that it counts, and is counted in the transaction that writes this: once, however many processes do the
job, and exactly at every moment. What is still to be handed over is to the user as what workers have still to read.
Deletions, edits and workers that meet the job in between go by the same field.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from datetime import timedelta

from graph.errors import Unavailable
from graph.store.database import Database
from graph.store.documents import Document, HandoverDocument, new_uuid, now
from graph.store.driver.transactions import in_transaction
from graph.store.driver.types import Transaction
from graph.store.entities import ownership
from graph.store.jobs.lease import Lease

logger = logging.getLogger(__name__)

_JOBS = Lease()

ENTITIES_AT_ONCE = 2_000
"""Most entities that the transaction which gives a session to a user counts for the user."""
BATCH = 1_000
LEASE = timedelta(seconds=30)
"""How long a silent runner keeps a job to itself: longer than a batch may take."""


async def give_to_user(database: Database, session_id: str, user_id: str, tx: Transaction) -> bool:
    """Within the transaction that gives a session to a user, count its entities for the user, or leave a job for that.

    Returns:
        Whether a job is left, which `settle` does.
    """
    if not await ownership.has_more(database, session_id, ENTITIES_AT_ONCE, tx):
        await ownership.give_to_user(database, session_id, user_id, tx)
        return False
    # Workers that know the session without its user are met here.
    await ownership.lock_entities(database, [session_id], tx)
    job: HandoverDocument = {"_id": session_id, "uuid": new_uuid(), "dueAt": now() + LEASE}
    await database.handovers.replace_one({"_id": session_id}, job, upsert=True, session=tx)
    return True


async def settle(database: Database, session_id: str) -> None:
    """Do the job of a session, and wait for its end as long as a write may take; the rest goes on in the background."""
    task = database.run(_finish_or_log(database, session_id))
    await asyncio.wait([task], timeout=database.write_deadline)


async def _finish_or_log(database: Database, session_id: str) -> None:
    try:
        await finish(database, session_id)
    except Unavailable as error:
        logger.warning("a handover of entities is put off: %s", error)
    except Exception:
        logger.exception("a handover of entities is put off")


async def finish(database: Database, session_id: str) -> None:
    """Do the job of a session to its end, even while another process works on it.

    Raises:
        Unavailable: the database does not answer; the job stays, and is taken up again.
    """
    while (job := await _held(database, {"_id": session_id})) is not None:
        if not await _give_all(database, job):
            await database.handovers.delete_one({"_id": session_id, "uuid": job["uuid"]})


async def run_pending(database: Database) -> int:
    """Do the jobs that no process holds; returns their number."""
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
    """Count all that is found not to count, batch after batch; False when nothing was found."""
    found = False
    left = ownership.not_given(job["_id"])
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
