"""Forks: new sessions with the first messages of others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from graph.errors import BadUserInput, Conflict, Forbidden, TooCostly, shown
from graph.store import users
from graph.store.database import Database
from graph.store.documents import Document, SessionDocument, new_uuid, now
from graph.store.driver.types import Transaction
from graph.store.entities import mentions
from graph.store.forking.copies import Copier
from graph.store.forking.recall_copies import copied_recall, recall_of
from graph.store.jobs import erasure
from graph.store.jobs.documents import ForkDocument
from graph.store.messages import whole_messages
from graph.store.scope import Scope
from graph.store.sessions import refuse_other_prefix, refuse_other_user, refuse_unseen, session_to_change
from graph.store.titles import with_words
from graph.store.vectors import await_vectors
from graph.store.visible import Visible
from graph.store.writes import write_session

MOST_AT_ONCE = 1_000
"""Maximum messages of a fork that is one transaction."""
MOST_BYTES = 16_777_216
"""Maximum bytes of the messages of such a fork, as many as one `addMemory` may have."""
MOST_COPIED = 200_000
"""Maximum messages of a fork, which a job makes: as many as a search compares."""
MOST_COPIED_BYTES = 1_073_741_824
"""Maximum bytes of the messages of such a fork."""
MOST_UNDER_WAY = 10
"""Maximum forks of one user that are being made."""
_DONE = ("DONE", "FAILED")
Charge: TypeAlias = Callable[[int], Awaitable[None]]
"""Takes a cost from the budget of the caller, or raises `TooCostly`."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A fork to be made.

    Attributes:
        source_id: the session with the messages.
        through_seq: the number of the last message that is copied.
        session_id: the new session.
        user_id: the user of the new session, if the source belongs to no user.
    """

    source_id: str
    through_seq: int
    session_id: str
    user_id: str | None = None


class ForkState(StrEnum):
    """Whether a fork exists."""

    MAKING = "MAKING"
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Forked:
    """The result of a fork.

    Attributes:
        session: the whole new session; None while it is being made.
        fork: `newSessionId`, `sessionId`, `throughSeq`, `state`, `progress` and `reason`.
        replayed: whether the fork existed or was being made, so that nothing changed.
    """

    session: SessionDocument | None
    fork: Document
    replayed: bool


async def fork_session(database: Database, scope: Scope, fork: Fork, charge: Charge) -> Forked:
    """Create a session with copies of the visible messages on the path to the head of another one, up to a number.

    Many messages are left to a job, see `graph.store.jobs.forking`.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        fork: the fork.
        charge: charges the caller for the number of messages to copy, before the first copy.

    Raises:
        BadUserInput: the source never had a message with the number, or the messages are too many.
        Conflict: the new session exists or is being made, and is no fork of this source up to this number, or the
            source belongs to another user.
        Forbidden: the new session exists outside the caller's scope, or its id lacks the caller's prefix.
        NotFound: the source is not within the scope.
        TooCostly: the user has too many forks that are being made, or the caller's budget is spent.
    """
    charged = 0

    async def charge_once(number: int) -> None:
        nonlocal charged  # a write conflict repeats the transaction
        if number > charged:
            await charge(number - charged)
            charged = number

    async def attempt(tx: Transaction) -> Forked:
        source = await session_to_change(database, scope, fork.source_id, tx)
        refuse_other_user(source, fork.user_id)
        if (existing := await _existing(database, scope, fork, tx)) is not None:
            return Forked(existing, of_session(existing), replayed=True)
        if (job := await _under_way(database, scope, fork, tx)) is not None:
            return Forked(None, of_job(job), replayed=True)
        _refuse_later(fork, source)
        await _refuse_many(database, source.get("userId") or fork.user_id, tx)  # before the reads that cost most
        await erasure.refuse_while_under_way(database, erasure.session_job(fork.session_id), tx)
        number, is_large = await _size(database, Visible.of_head(source), fork, tx)
        await charge_once(number)
        if is_large:
            return Forked(None, of_job(await _leave_job(database, source, fork, number, tx)), replayed=False)
        created = await _create(database, source, fork, tx)
        return Forked(created, of_session(created), replayed=False)

    return await write_session(database, fork.session_id, attempt)


async def find_fork(database: Database, scope: Scope, session_id: str) -> Document | None:
    """Return the state of a fork within the scope, in the form of `Forked.fork`; None for another session."""
    session = await database.sessions.find_one({"_id": session_id, **scope.sessions()}, {"forkedFrom": 1})
    if session is not None and "forkedFrom" in session:
        return of_session(session)
    job = await database.forks.find_one({"_id": session_id, **scope.sessions()})
    return None if job is None else of_job(job)


def of_job(job: ForkDocument) -> Document:
    """Return the state of a fork that is being made, or could not be made."""
    failed = job.get("failed")
    return {
        "newSessionId": job["_id"],
        "sessionId": job["sourceId"],
        "throughSeq": job["throughSeq"],
        "state": (ForkState.MAKING if failed is None else ForkState.FAILED).value,
        "progress": min(1.0, job["copied"] / max(1, job["total"])),
        "reason": failed,
    }


def of_session(session: SessionDocument) -> Document:
    """Return the state of a fork that exists, read with `forkedFrom`."""
    origin = session["forkedFrom"]
    return {
        "newSessionId": session["_id"],
        "sessionId": origin["sessionId"],
        "throughSeq": origin["seq"],
        "state": ForkState.DONE.value,
        "progress": 1.0,
        "reason": None,
    }


async def _under_way(database: Database, scope: Scope, fork: Fork, tx: Transaction) -> ForkDocument | None:
    """Return the job of the same fork, if it has not failed."""
    job = await database.forks.find_one({"_id": fork.session_id}, session=tx)
    if job is None or "failed" in job:
        return None
    if scope.user_id not in (None, job.get("userId")):
        raise Forbidden("the newSessionId is not yours to write to: choose another one")
    if (job["sourceId"], job["throughSeq"]) != (fork.source_id, fork.through_seq):
        message = f"newSessionId is {shown(fork.session_id)}, and another fork is being made with it: choose another id"
        raise Conflict(message)
    return job


async def _leave_job(
    database: Database, source: SessionDocument, fork: Fork, total: int, tx: Transaction
) -> ForkDocument:
    """Within a transaction, leave a job that makes the fork of a number of messages."""
    visible = Visible.of_head(source)
    job: ForkDocument = {
        "_id": fork.session_id,
        "dueAt": now(),
        "attempts": 0,
        "sourceId": source["_id"],
        "sourceUuid": source["uuid"],
        "throughSeq": fork.through_seq,
        "path": None if visible.path is None else [list(part) for part in visible.path],
        "total": total,
        "copied": 0,
    }
    if (user_id := source.get("userId") or fork.user_id) is not None:
        job["userId"] = user_id
    await database.forks.replace_one({"_id": fork.session_id}, job, upsert=True, session=tx)
    return job


async def _existing(database: Database, scope: Scope, fork: Fork, tx: Transaction) -> SessionDocument | None:
    existing = await database.sessions.find_one({"_id": fork.session_id}, session=tx)
    if existing is None:
        refuse_other_prefix(scope, fork.session_id)
        return None
    refuse_unseen(scope, existing)
    if existing.get("forkedFrom") != {"sessionId": fork.source_id, "seq": fork.through_seq}:
        message = f"newSessionId is {shown(fork.session_id)}, and this session exists already: choose another id"
        raise Conflict(message)
    return existing


def _refuse_later(fork: Fork, source: SessionDocument) -> None:
    if fork.through_seq > source["lastSeq"]:
        message = (
            f"throughSeq is {fork.through_seq:,}, and the newest message has {source['lastSeq']:,}: send the seq of a"
            " message"
        )
        raise BadUserInput(message)


async def _refuse_many(database: Database, user_id: str | None, tx: Transaction) -> None:
    """Refuse a further fork of a user for whom jobs make many."""
    if user_id is None:
        return
    theirs = {"userId": user_id, "failed": {"$exists": False}}
    if await database.forks.count_documents(theirs, limit=MOST_UNDER_WAY, session=tx) == MOST_UNDER_WAY:
        message = f"{MOST_UNDER_WAY} forks of the user's sessions are being made: wait until one of them is done"
        raise TooCostly(message)


async def _create(database: Database, source: SessionDocument, fork: Fork, tx: Transaction) -> SessionDocument:
    """Store the new session with its contents."""
    at, visible = now(), Visible.of_head(source)
    found = await whole_messages(database, visible, fork.through_seq, tx)
    old_memories = await database.memories.find({"_id": {"$in": list({old["memoryId"] for old in found})}}, session=tx)
    copier = Copier(fork.session_id, at)
    memories, messages = copier.copy(found, old_memories)
    memories += copier.rest()
    session = new_session(source, fork, copier)
    session["readSeq"] = sum(old["seq"] <= source.get("readSeq", 0) for old in found)
    await database.sessions.insert_one(with_words(session), session=tx)
    if (user_id := session.get("userId")) is not None:
        await users.give_session(database, user_id, fork.session_id, at, tx)
    if messages:
        await database.memories.insert_many(memories, session=tx)
        await database.messages.insert_many(messages, session=tx)
        await mentions.replace_all(database, [(None, message) for message in messages], tx)
        done = [message for message in messages if message["enrichment"]["state"] in _DONE]
        known = copied_recall(await recall_of(database, found, tx), list(zip(found, messages, strict=True)))
        await await_vectors(database, done, tx, known)
    return session


async def _size(database: Database, visible: Visible, fork: Fork, tx: Transaction) -> tuple[int, bool]:
    """Return the number of messages, and whether they are too many or too large for one transaction.

    Raises:
        BadUserInput: the messages are too many for a fork.
    """
    size: list[Document] = [
        {"$match": visible.match("seq", fork.through_seq)},
        {"$limit": MOST_AT_ONCE + 1},
        {"$group": {"_id": None, "messages": {"$sum": 1}, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}},
    ]
    found = await database.messages.aggregate(size, session=tx)
    if not any(one["messages"] > MOST_AT_ONCE or one["bytes"] > MOST_BYTES for one in found):
        return sum(one["messages"] for one in found), False
    match = visible.match("seq", fork.through_seq)
    total = await database.messages.count_documents(match, limit=MOST_COPIED + 1, session=tx)
    if total > MOST_COPIED:
        message = (
            f"throughSeq is {fork.through_seq:,}, and the messages up to it are more than {MOST_COPIED:,}, the maximum"
            " of a fork: send a smaller seq"
        )
        raise BadUserInput(message)
    return total, True


def new_session(source: SessionDocument, fork: Fork, copied: Copier) -> SessionDocument:
    """Return the document of a fork whose messages are copied, without `readSeq`."""
    at, count = copied.at, copied.count
    session: SessionDocument = {
        "_id": fork.session_id,
        "uuid": new_uuid(),
        "metadata": source["metadata"],
        "createdAt": at,
        "updatedAt": at,
        "lastSeq": count,
        "messageCount": count,
        "tokenCount": copied.tokens,
        "summarySeq": 0,
        "summarising": {"dueAt": at, "attempts": 0},
        "revision": 1,
        "forkedFrom": {"sessionId": fork.source_id, "seq": fork.through_seq},
    }
    if (user_id := source.get("userId") or fork.user_id) is not None:
        session["userId"] = user_id
    if title := source.get("title"):
        session["title"] = title
    if "expiresAt" in source:
        session["expiresAt"] = source["expiresAt"]
    return session
