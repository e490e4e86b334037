"""The `summaries` collection: rolling summaries of a session's messages."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from graph.store.client import translated_errors
from graph.store.database import Database
from graph.store.documents import Document
from graph.store.projection import projection


async def newest_summary(database: Database, session_id: str, fields: Collection[str] | None = None) -> Document | None:
    """The newest summary of a session that the caller has been found to see, or None before the first."""
    with translated_errors():
        found: Document | None = await database.summaries.find_one(
            {"sessionId": session_id}, projection(fields), sort=[("lastSeq", -1)]
        )
    return found


async def mark_stale(database: Database, session_id: str, seq: int, session: Any) -> None:
    """Within a transaction, mark the summaries that cover a message which has changed or gone."""
    await database.summaries.update_many(
        {"sessionId": session_id, "lastSeq": {"$gte": seq}, "firstSeq": {"$lte": seq}},
        {"$set": {"stale": True}},
        session=session,
    )
