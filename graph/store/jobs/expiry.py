"""Erasure of expired sessions: by workers, or before work that needs the id, the messages' uuids or a user's entities.

An expired session is invisible before its erasure, see `graph.store.expiry`. It is erased as `deleteSession` erases,
with the tombstone for subscribers. Each transaction checks again whether the session has expired, so that any number
of processes may erase at once, and one that dies leaves whole sessions or the job of an erasure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from graph.errors import ErasureUnderWay
from graph.store.database import Database
from graph.store.documents import Document
from graph.store.driver.transactions import in_transaction
from graph.store.driver.types import Transaction
from graph.store.expiry import SPANS, Span, expired, expired_within
from graph.store.jobs import erasure
from graph.store.reading.projection import projection
from graph.store.visible import Visible

AT_ONCE: Final = 1_000
"""Maximum sessions of one look: the other jobs of a worker come between two looks."""
_MOST_SPANS: Final = 50
"""Retentions of users that one filter names: each is a range of an index, and takes one read to find."""
_FIELDS = projection({"lastSeq", "userId", *Visible.FIELDS})


async def erase(database: Database, session_id: str) -> bool:
    """Erase a session if it has expired: nothing that is counted for its user is left on return.

    Returns:
        Whether the session had expired.

    Raises:
        Unavailable: the database does not answer.
    """

    async def attempt(tx: Transaction) -> tuple[bool, str | None]:
        chosen = {"_id": session_id, **expired(database.retention)}
        session = await database.all_sessions.find_one(chosen, _FIELDS, session=tx)
        if session is None:
            return False, None
        return True, await erasure.erase_session(database, session, session.get("userId"), tx)

    had_expired, job = await in_transaction(database.client, attempt, deadline=database.write_deadline)
    if job is not None:
        await erasure.forget_entities(database, job)
    return had_expired


async def finish(database: Database, job: str) -> None:
    """Run the job of an erasure to its end; the job of an expired session is created first.

    Raises:
        Unavailable: the database does not answer; the job stays, and is resumed later.
    """
    session_id = erasure.session_of(job)
    if session_id is not None:
        await erase(database, session_id)
    await erasure.finish(database, job)


async def refuse_expired(database: Database, session_ids: Collection[str], tx: Transaction) -> None:
    """Refuse to continue a transaction that creates sessions, one of which exists and has expired.

    Raises:
        ErasureUnderWay: the expired session has to be erased first.
    """
    chosen = {"_id": {"$in": list(session_ids)}, **expired(database.retention)}
    found = await database.all_sessions.find_one(chosen, {"_id": 1}, session=tx)
    if found is not None:
        raise ErasureUnderWay(erasure.session_job(found["_id"]))


async def erase_of_user(database: Database, user_id: str) -> None:
    """Erase the expired sessions of a user, which count in the user's entities until then.

    Raises:
        Unavailable: the database does not answer.
    """
    while await _erase_some(database, {"userId": user_id}):
        pass


async def run_pending(database: Database) -> int:
    """Erase expired sessions, at most `AT_ONCE`; return their number."""
    return await _erase_some(database, {})


async def _erase_some(database: Database, within: Document) -> int:
    chosen = {**within, **expired_within(database.retention, await _spans_in_use(database, within))}
    found = await database.all_sessions.find(chosen, {"_id": 1}, limit=AT_ONCE)
    return sum([await erase(database, session["_id"]) for session in found])


async def _spans_in_use(database: Database, within: Document) -> Sequence[Span]:
    """Return the retentions of users that sessions have, or all ranges where the sessions have many."""
    spans: list[Span] = []
    async for days in _days_in_use(database, within):
        if len(spans) == _MOST_SPANS:
            return SPANS
        spans.append((days, days + 1))
    return spans


async def _days_in_use(database: Database, within: Document) -> AsyncIterator[int]:
    """Yield the retentions of users that sessions have: one key of an index for each."""
    days = 0
    while True:
        greater = {**within, "retentionDays": {"$gt": days}}
        found = await database.all_sessions.find_one(
            greater, {"_id": 0, "retentionDays": 1}, sort=[("retentionDays", 1)]
        )
        if found is None:
            return
        days = found["retentionDays"]
        yield days
