"""The contents that erasures and imports under way hide, for reads of many sessions. Reads of one take `Visible`."""

from __future__ import annotations

from collections.abc import Collection

from graph.store.database import Database
from graph.store.documents import Document
from graph.store.driver.types import Transaction


async def hidden_contents(
    database: Database, session_ids: Collection[str] | None = None, tx: Transaction | None = None
) -> Document | None:
    """Return the filter of hidden contents; None if nothing is hidden.

    Args:
        database: the open database.
        session_ids: only contents of these sessions; None for all.
        tx: the transaction or snapshot of the read.
    """
    chosen: Document = {"$exists": True} if session_ids is None else {"$in": list(session_ids)}
    jobs = await database.erasures.find({"sessionId": chosen}, {"sessionId": 1, "lastSeq": 1, "whole": 1}, session=tx)
    parts: list[Document] = [
        {"sessionId": job["sessionId"], "seq": {"$lte": job["lastSeq"]}} for job in jobs if "whole" not in job
    ]
    if whole := [job["sessionId"] for job in jobs if "whole" in job]:
        parts.append({"sessionId": {"$in": whole}})
    return {"$or": parts} if parts else None
