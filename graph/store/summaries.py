"""The `summaries` collection: rolling summaries of a session's messages."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graph.store.database import Database
from graph.store.documents import MessageDocument, SessionDocument, SummaryDocument, now
from graph.store.driver.types import Transaction
from graph.store.reading.keyset import Listing
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.tree.branches import Tree, place_of, summaries_of
from graph.store.visibility import find_visible
from graph.store.visible import Visible


async def find_summaries(
    database: Database, scope: Scope, uuids: Collection[str], fields: Collection[str]
) -> list[SummaryDocument]:
    """Return the summaries that exist within the scope, in no order, with `fields` and `_id`."""
    projected = projection({*fields, "_id", "sessionId", "lastSeq"})
    return await find_visible(database, database.summaries, scope, uuids, projected, place="lastSeq")


def list_summaries(database: Database, visible: Visible) -> Listing:
    """The visible summaries of a session, the oldest first."""
    return Listing(database.summaries, visible.match("lastSeq"), ("lastSeq",), ("sessionId", "lastSeq"))


async def newest_summary(
    database: Database, visible: Visible, fields: Collection[str] | None = None
) -> SummaryDocument | None:
    """The newest visible summary of a session, with `fields` or all, or None before the first."""
    found = await database.summaries.find_one(visible.match("lastSeq"), projection(fields), sort=[("lastSeq", -1)])
    return found


async def mark_stale(database: Database, session: SessionDocument, message: MessageDocument, tx: Transaction) -> None:
    """Within a transaction, mark the summaries that cover a changed message as stale.

    Args:
        database: the open database.
        session: the message's session, read with `Visible.HEAD_FIELDS`.
        message: read with `branch` and `seq`.
        tx: the transaction.
    """
    later = summaries_of(session["_id"], Tree.of(session), [place_of(message)])
    await database.summaries.update_many(
        {**later, "firstSeq": {"$lte": message["seq"]}}, {"$set": {"stale": True}}, session=tx
    )


async def forget_messages(
    database: Database, session: SessionDocument, messages: Sequence[MessageDocument], visible: Visible, tx: Transaction
) -> None:
    """Within a transaction, remove the summaries that may quote deleted messages; they are written again.

    Each summary includes the one before, so these are all summaries up to such a message or later.

    Args:
        database: the open database.
        session: the session before the deletion, with `Visible.HEAD_FIELDS`.
        messages: the deleted messages, with `branch` and `seq`; at least one.
        visible: the visible part of the session on the path to its head after the deletion.
        tx: the transaction.
    """
    session_id = session["_id"]
    quoting = summaries_of(session_id, Tree.of(session), map(place_of, messages))
    removed = await database.summaries.delete_many(quoting, session=tx)
    if not removed.deleted_count:
        return
    newest = await database.summaries.find_one(
        visible.match("lastSeq"), {"lastSeq": 1}, sort=[("lastSeq", -1)], session=tx
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
