"""Due summaries: claims of sessions with leases, and the storage of summaries.

A session is due if its document has `summarising`. A worker sets it before it stores the messages that make the session
due as enriched, so that after its death another worker finds these messages again, and sets it then.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import cast

from graph.store.database import Database
from graph.store.documents import Document, MessageDocument, SummaryDocument, new_uuid, now
from graph.store.driver.transactions import in_transaction
from graph.store.driver.types import DuplicateKeyError, Transaction
from graph.store.jobs.lease import Lease
from graph.store.reading.projection import projection
from graph.store.streams.reading import is_streaming
from graph.store.traced import traced
from graph.store.visible import AFTER_SEQ, Visible

LEASE = Lease("summarising")

_COVERED = {"$max": ["$summarySeq", AFTER_SEQ]}


@dataclass(frozen=True, slots=True)
class ClaimedSession:
    """A session that this worker may summarise until the lease runs out.

    Attributes:
        session_id: the session.
        lease: the lease's name.
        attempts: the number of claims since its last summary, including the present one.
    """

    session_id: str
    lease: str
    attempts: int
    trace: str | None = None

    @property
    def held(self) -> Document:
        """Return the filter of the session while it is held."""
        return {"_id": self.session_id, **LEASE.held(self.lease)}


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a session's summaries.

    Attributes:
        last_seq: the number of its newest message.
        summary_seq: the last number of its newest summary, from the session's document.
        visible: the part of the session that is not erased, on the path to the head.
        covered: the number of the newest covered or erased message.
        previous: the newest summary of the path, or None.
    """

    last_seq: int
    summary_seq: int
    visible: Visible
    covered: int
    previous: SummaryDocument | None


async def mark_due(database: Database, window: int, session_ids: Collection[str] | None = None) -> None:
    """Mark sessions as due that have at least `window` messages without a summary.

    Args:
        database: the open database.
        window: the message window.
        session_ids: the sessions to check; None checks all, and reads every session.
    """
    within: Document = {} if session_ids is None else {"_id": {"$in": list(session_ids)}}
    await database.sessions.update_many(
        {
            **within,
            "summarising.dueAt": {"$exists": False},
            "$expr": {"$gte": [{"$subtract": ["$lastSeq", _COVERED]}, window]},
        },
        {"$set": {"summarising": {"dueAt": now(), "attempts": 0, **traced()}}},
    )


async def claim_session(
    database: Database, *, lease_seconds: float, session_id: str | None = None
) -> ClaimedSession | None:
    """Claim the session that has been due longest; return None if no session is due."""
    token = new_uuid()
    within: Document = {} if session_id is None else {"_id": session_id}
    found = await LEASE.claim_next(database.sessions, within, token, seconds=lease_seconds, fields={"summarising": 1})
    return (
        None
        if found is None
        else ClaimedSession(found["_id"], token, found["summarising"]["attempts"], found["summarising"].get("trace"))
    )


async def renew_session(database: Database, due: ClaimedSession, *, lease_seconds: float) -> None:
    """Keep a session for another `lease_seconds`."""
    await LEASE.renew(database.sessions, due.held, seconds=lease_seconds)


async def postpone(database: Database, due: ClaimedSession, until: datetime) -> None:
    """Give a session back, due at `until`."""
    await LEASE.postpone(database.sessions, due.held, until)


async def give_up(database: Database, due: ClaimedSession) -> None:
    """Give a session back as not due, until further messages of it are enriched."""
    await LEASE.end(database.sessions, due.held)


async def finish(database: Database, due: ClaimedSession, standing: Standing) -> bool:
    """Mark the session as not due; return False if it has new messages, and may be due again."""
    if await LEASE.end(database.sessions, {**due.held, "lastSeq": standing.last_seq}):
        return True
    return await database.sessions.find_one(due.held, {"_id": 1}) is None


async def standing_of(database: Database, due: ClaimedSession) -> Standing | None:
    """Return the state of the session's summaries, or None if it is no longer held."""
    found = await database.sessions.find_one(due.held, projection({"lastSeq", "summarySeq", *Visible.HEAD_FIELDS}))
    if found is None:
        return None
    visible = Visible.of_head(found)
    previous = await database.summaries.find_one(visible.match("lastSeq"), sort=[("lastSeq", -1)])
    return Standing(
        last_seq=found["lastSeq"],
        summary_seq=found["summarySeq"],
        visible=visible,
        covered=max(found["summarySeq"], visible.after_seq),
        previous=previous,
    )


async def uncovered(database: Database, standing: Standing, limit: int) -> list[MessageDocument]:
    """Return the oldest messages of the path without a summary, up to one that is being written.

    The messages have `seq` and `tokenCount`.
    """
    found = await database.messages.find(
        standing.visible.beyond(standing.covered).match("seq"),
        {"seq": 1, "tokenCount": 1, "status": 1},
        sort=[("seq", 1)],
        limit=limit,
        batch_size=limit + 1,
    )
    return list(takewhile(lambda message: not is_streaming(message), found))


async def contents(database: Database, standing: Standing, first_seq: int, last_seq: int) -> list[MessageDocument]:
    """Return the messages of a range of the path, with `role`, `content` and the fields that reveal later changes."""
    return await database.messages.find(
        standing.visible.beyond(first_seq - 1).match("seq", last_seq),
        {"seq": 1, "branch": 1, "role": 1, "content": 1, "updatedAt": 1},
        sort=[("seq", 1)],
    )


async def store_summary(
    database: Database, due: ClaimedSession, standing: Standing, read: Collection[MessageDocument], summary: Document
) -> bool:
    """Store a summary and mark its messages as covered, in one transaction.

    An edit or a deletion also writes the session, so that one of both transactions sees the changes of the other.

    Args:
        database: the open database.
        due: the session.
        standing: the state that the summary continues.
        read: the new messages of the summary, as read.
        summary: `firstSeq`, `lastSeq`, `content`, `tokenCount`, `source` and `entities`.

    Returns:
        False, and nothing is stored, if a message has changed since, the session has left the path, or another worker
        holds it.
    """
    was = {message["_id"]: message["updatedAt"] for message in read}
    last = max(read, key=lambda message: message["seq"])

    async def attempt(tx: Transaction) -> bool:
        found = await database.messages.find(
            standing.visible.beyond(standing.covered).match("seq", summary["lastSeq"]), {"updatedAt": 1}, session=tx
        )
        if {message["_id"]: message["updatedAt"] for message in found} != was:
            return False
        held = await database.sessions.update_one(
            {**due.held, **standing.visible.unchanged(), "summarySeq": standing.summary_seq},
            {"$set": {"summarySeq": summary["lastSeq"], "summarising.attempts": 0}},
            session=tx,
        )
        if not held.matched_count:
            return False
        previous = await database.summaries.find_one(
            standing.visible.match("lastSeq"),
            {"stale": 1},
            sort=[("lastSeq", -1)],
            session=tx,
        )
        stored = {
            "_id": new_uuid(),
            "sessionId": due.session_id,
            "lastMessageUuid": last["_id"],
            "createdAt": now(),
            **summary,
        }
        if branch := last.get("branch", 0):
            stored["branch"] = branch
        document = cast("SummaryDocument", stored)
        if previous is not None and previous.get("stale"):
            document["stale"] = True  # the new summary includes it
        await database.summaries.insert_one(document, session=tx)
        return True

    try:
        return await in_transaction(database.client, attempt, deadline=database.write_deadline)
    except DuplicateKeyError:
        return False


async def next_due_session(database: Database, session_id: str | None = None) -> datetime | None:
    """Return the time at which the next session is due, or None."""
    within: Document = {} if session_id is None else {"_id": session_id}
    found = await database.sessions.find_one(
        {**within, "summarising.dueAt": {"$exists": True}},
        {"summarising.dueAt": 1},
        sort=[("summarising.dueAt", 1)],
    )
    return None if found is None else found["summarising"]["dueAt"]
