"""Forks of many messages, which a job makes, even if a process dies meanwhile.

`forkSession` leaves a job in `forks`. The job copies the messages in portions, as an import stores a large session: the
new session's document comes last, and nothing of the session is visible before. A process that takes over the job of a
dead one erases the copied part, and begins again. A session that is changed meanwhile gives the messages that it has
when their portion is read, on the path of the request.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

from graph.errors import Conflict, NotFound, OperationError
from graph.store.database import Database
from graph.store.documents import Document, SessionDocument, new_uuid, now
from graph.store.driver.availability import observed, once
from graph.store.driver.types import Transaction
from graph.store.forking.copies import Copier
from graph.store.forking.forks import MOST_COPIED_BYTES, Fork, new_session
from graph.store.forking.recall_copies import copied_recall, recall_of
from graph.store.jobs import erasure, handover
from graph.store.jobs.documents import ForkDocument
from graph.store.jobs.lease import Lease, renewing
from graph.store.transfer.documents import Contents
from graph.store.transfer.staging import Staging, release
from graph.store.tree.branches import Range
from graph.store.visible import Visible

_JOBS = Lease()
_UNFINISHED: Document = {"failed": {"$exists": False}}
_RUNNING = "forks\0"
"""The lock of the runner of this process."""

AT_ONCE = 200
"""Maximum messages of a portion: more would hold the event loop."""
PORTION_BYTES = 2_097_152
"""Maximum bytes of a portion of several messages."""
SIZES_AT_ONCE = 2_000
"""Messages whose sizes one read gives."""
LEASE = timedelta(seconds=60)
"""Time for which a silent runner holds a job: longer than a portion takes."""
MOST_ATTEMPTS = 5
"""Attempts that may end with the process, or with an error that may pass."""
MOST_LOOKS = 5
"""Looks for memories that are missing, as the memories of messages are that are deleted between two reads."""
LOOK_PAUSE = 0.2
"""Seconds before the second look, and as much more before each further one."""
FAILURE_KEPT = timedelta(days=1)
"""Time for which a caller can read why a fork failed."""


class _Lost(Exception):
    """Another runner holds the job, or the fork was cancelled: its copies are erased already, or soon."""


def begin(database: Database) -> asyncio.Task[None]:
    """Run the due jobs in the background. If that fails, `resume` begins them after the end of their leases."""
    return database.run(once("a fork", observed("forks", partial(run_pending, database))))


async def resume(database: Database) -> None:
    """Begin the due jobs in the background, unless this process runs jobs already: a job may take minutes."""
    if database.write_lock(_RUNNING).locked():
        return
    if await database.forks.find_one({**_UNFINISHED, **_JOBS.due(now())}, {"_id": 1}) is not None:
        begin(database)


async def run_pending(database: Database) -> int:
    """Run the jobs that no process holds, one after the other, the users in turn; return their number."""
    number = 0
    async with database.write_lock(_RUNNING):
        while (job := await _claimed(database)) is not None:
            await _let_others_pass(database, job)
            await _run(database, job)
            await _let_others_pass(database, job)  # not after a cancellation: the stop of a process waits for no write
            number += 1
    return number


async def _claimed(database: Database) -> ForkDocument | None:
    return await _JOBS.claim_next(
        database.forks, _UNFINISHED, new_uuid(), seconds=LEASE.total_seconds(), fields={"expiresAt": 0}
    )


async def _let_others_pass(database: Database, job: ForkDocument) -> None:
    """Put the other due jobs of the user of a claimed job behind the due jobs of all users."""
    at = now()
    theirs = {"userId": job.get("userId"), "_id": {"$ne": job["_id"]}, **_UNFINISHED, **_JOBS.due(at)}
    await database.forks.update_many(theirs, {"$set": {"dueAt": at}})


def _held(job: ForkDocument) -> Document:
    return {"_id": job["_id"], **_JOBS.held(job["lease"])}


async def _run(database: Database, job: ForkDocument) -> None:
    staging = Staging(database, job["_id"], is_fork=True)

    async def hold(tx: Transaction) -> None:
        begun = {"$set": {"dueAt": now() + LEASE}, "$unset": {"cause": ""}}
        if not (await database.forks.update_one(_held(job), begun, session=tx)).matched_count:
            raise _Lost

    try:
        if "made" not in job:
            _refuse_more_attempts(job)
            # The erasure of the part of a dead runner, and the entities, may take longer than a lease.
            async with renewing(partial(_renew, database, job), seconds=LEASE.total_seconds()):
                await erasure.finish(database, erasure.session_job(job["_id"]))
                await staging.begin(hold)
                await _make(database, job, staging)
    except _Lost:
        return
    except (Conflict, NotFound) as error:
        if await _renew(database, job):
            await staging.abandon()
            failed = {"failed": str(error), "expiresAt": now() + FAILURE_KEPT}
            await database.forks.update_one(_held(job), {"$set": failed})
        return
    except Exception as error:
        cause = (
            str(error) if isinstance(error, OperationError) else "an internal error, which the log of the server has"
        )
        await database.forks.update_one(_held(job), {"$set": {"cause": cause}})
        raise
    await release(database, job["_id"])
    await handover.finish(database, job["_id"])
    await database.forks.delete_one(_held(job))


async def _renew(database: Database, job: ForkDocument) -> bool:
    return await _JOBS.renew(database.forks, _held(job), seconds=LEASE.total_seconds())


def _refuse_more_attempts(job: ForkDocument) -> None:
    if job["attempts"] > MOST_ATTEMPTS:
        cause = job.get("cause", "the end of its process")
        message = f"{MOST_ATTEMPTS} attempts to make the fork failed; the cause of the last: {cause}"
        raise Conflict(message)


async def _make(database: Database, job: ForkDocument, staging: Staging) -> None:
    """Copy the messages, and make the session visible.

    Raises:
        Conflict: the session of the new id was made meanwhile, memories of the source are missing, or its messages
            are too large together.
        NotFound: the source was deleted.
    """
    copier, seq, looks = Copier(job["_id"], now()), 0, 0
    await _refuse_large(database, job)
    while (last := await _end_of_portion(database, job, seq)) is not None:
        visible = _part(job, await _source(database, job)).beyond(seq)
        found = await database.messages.find_at_once(visible.match("seq", last), limit=AT_ONCE, sort=[("seq", 1)])
        if not found:
            continue  # deleted since: the next portion begins at the same place
        wanted = {message["memoryId"] for message in found}
        memories = await database.memories.find({"_id": {"$in": list(wanted)}})
        if len(memories) < len(wanted):
            # The messages are being erased: look at the source again.
            looks += 1
            await _await_look(database, job, looks)
            continue
        looks = 0
        recall = await recall_of(database, found)
        ended, copies = copier.copy(found, memories)
        copied = copied_recall(recall, list(zip(found, copies, strict=True)))
        await staging.add(Contents(ended, copies, [], copied))
        seq = found[-1]["seq"]
        progress = {"copied": copier.count, "dueAt": now() + LEASE}
        if not (await database.forks.update_one(_held(job), {"$set": progress})).matched_count:
            raise _Lost
    await staging.add(Contents(copier.rest(), [], []))
    source = await _source(database, job)
    fork = Fork(job["sourceId"], job["throughSeq"], job["_id"], job.get("userId"))
    session = new_session(source, fork, copier)
    read = _part(job, source).match("seq", min(job["throughSeq"], source.get("readSeq", 0)))
    session["readSeq"] = min(copier.count, await database.messages.count_documents(read))

    async def also(tx: Transaction) -> None:
        made = {"$set": {"made": True, "dueAt": now() + LEASE}}
        if not (await database.forks.update_one(_held(job), made, session=tx)).matched_count:
            raise _Lost

    await staging.finish(session, also)


async def _refuse_large(database: Database, job: ForkDocument) -> None:
    """Refuse to copy messages that are too large together, before any is copied."""
    seq, size = 0, 0
    while sizes := await _sizes(database, job, seq, SIZES_AT_ONCE):
        seq, size = sizes[-1][0], size + sum(more for _, more in sizes)
        if size > MOST_COPIED_BYTES:
            message = (
                f"the messages up to throughSeq have more than {MOST_COPIED_BYTES:,} bytes, the maximum of a fork: send"
                " forkSession with another newSessionId and a smaller seq"
            )
            raise Conflict(message)


async def _end_of_portion(database: Database, job: ForkDocument, after: int) -> int | None:
    """Return the number of the last message of the next portion; None after the last portion."""
    end, left = None, PORTION_BYTES
    for seq, size in await _sizes(database, job, after, AT_ONCE):
        left -= size
        if end is not None and left < 0:
            break
        end = seq
    return end


async def _sizes(database: Database, job: ForkDocument, after: int, most: int) -> list[tuple[int, int]]:
    """Return the numbers and the bytes of the next messages, at most `most`."""
    visible = _part(job, await _source(database, job)).beyond(after)
    sizes: list[Document] = [
        {"$match": visible.match("seq", job["throughSeq"])},
        {"$sort": {"seq": 1}},
        {"$limit": most},
        {"$project": {"_id": 0, "seq": 1, "bytes": {"$bsonSize": "$$ROOT"}}},
    ]
    return [(one["seq"], one["bytes"]) for one in await database.messages.aggregate(sizes)]


async def _await_look(database: Database, job: ForkDocument, looks: int) -> None:
    """Wait before another look for missing memories.

    Raises:
        Conflict: the looks were too many.
    """
    if looks >= MOST_LOOKS:
        raise Conflict("messages to copy have no memory, or are being deleted: send forkSession again")
    if not await _renew(database, job):
        raise _Lost
    await asyncio.sleep(looks * LOOK_PAUSE)


async def _source(database: Database, job: ForkDocument) -> SessionDocument:
    found = await database.sessions.find_one({"_id": job["sourceId"], "uuid": job["sourceUuid"]})
    if found is None:
        raise NotFound("the session with the messages was deleted")
    return found


def _part(job: ForkDocument, source: SessionDocument) -> Visible:
    """Return the visible part of the source on the path of the request."""
    path = job["path"]
    whole = Visible.of(source)
    return whole if path is None else Visible(whole.session_id, whole.after_seq, tuple(Range(*part) for part in path))
