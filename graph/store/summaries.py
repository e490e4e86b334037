"""The `summaries` collection: rolling summaries of a session's messages."""

from __future__ import annotations

from collections.abc import Collection

from graph.store.database import Database
from graph.store.documents import Document, SessionDocument, SummaryDocument, now
from graph.store.driver.client import translated_errors
from graph.store.driver.types import Transaction
from graph.store.keyset import Listing
from graph.store.projection import projection
from graph.store.scope import Scope
from graph.store.visibility import find_visible


async def find_summaries(
    database: Database, scope: Scope, uuids: Collection[str], fields: Collection[str]
) -> list[SummaryDocument]:
    """Those of the summaries that exist within the scope, in no order, with `fields` and `_id`."""
    wanted = projection({*fields, "_id", "sessionId", "lastSeq"})
    return await find_visible(database, database.summaries, scope, uuids, wanted, place="lastSeq")


def list_summaries(database: Database, session_id: str, erased_seq: int) -> Listing:
    """The summaries of a session that the caller has been found to see, the oldest first.

    Args:
        database: the open database.
        session_id: a session read within the caller's scope.
        erased_seq: the session's `erasedSeq`, or 0.
    """
    return Listing(database.summaries, _of(session_id, erased_seq), ("lastSeq",), ("sessionId", "lastSeq"))


def _of(session_id: str, erased_seq: int) -> Document:
    return {"sessionId": session_id, "lastSeq": {"$gt": erased_seq}}


async def newest_summary(
    database: Database, session_id: str, erased_seq: int | None, fields: Collection[str] | None = None
) -> SummaryDocument | None:
    """The newest summary of a session that the caller has been found to see, or None before the first.

    Args:
        database: the open database.
        session_id: a session read within the caller's scope.
        erased_seq: the session's `erasedSeq`, or 0; None where it has not been read.
        fields: what to read of the summary; None for all.
    """
    with translated_errors():
        if erased_seq is None:
            session = await database.sessions.find_one({"_id": session_id}, {"erasedSeq": 1})
            if session is None:
                return None
            erased_seq = session.get("erasedSeq", 0)
        found: SummaryDocument | None = await database.summaries.find_one(
            _of(session_id, erased_seq), projection(fields), sort=[("lastSeq", -1)]
        )
    return found


async def mark_stale(database: Database, session_id: str, seq: int, tx: Transaction) -> None:
    """Within a transaction, mark the summaries that cover a message which has changed."""
    await database.summaries.update_many(
        {"sessionId": session_id, "lastSeq": {"$gte": seq}, "firstSeq": {"$lte": seq}},
        {"$set": {"stale": True}},
        session=tx,
    )


async def forget_message(database: Database, session: SessionDocument, seq: int, tx: Transaction) -> None:
    """Within a transaction, remove the summaries that may hold what a deleted message said, to be written again.

    Each summary takes the one before in, so these are all that reach up to the message.

    Args:
        database: the open database.
        session: the message's session, with `_id` and `erasedSeq`.
        seq: the message's number.
        tx: the transaction.
    """
    session_id = session["_id"]
    removed = await database.summaries.delete_many({"sessionId": session_id, "lastSeq": {"$gte": seq}}, session=tx)
    if not removed.deleted_count:
        return
    newest = await database.summaries.find_one(
        _of(session_id, session.get("erasedSeq", 0)), {"lastSeq": 1}, sort=[("lastSeq", -1)], session=tx
    )
    await database.sessions.update_one(
        {"_id": session_id},
        {
            "$set": {
                "summarySeq": 0 if newest is None else newest["lastSeq"],
                "summarising": {"dueAt": now(), "attempts": 0},
            }
        },
        session=tx,
    )
