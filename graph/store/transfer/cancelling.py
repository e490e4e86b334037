"""The end of forks that are being made: their copied messages are erased."""

from __future__ import annotations

from graph.store.database import Database
from graph.store.documents import Document, now
from graph.store.driver.types import Transaction
from graph.store.jobs import erasure


async def cancel_forks(database: Database, match: Document, tx: Transaction) -> list[str] | None:
    """Within a transaction, remove the jobs of forks, whose runners then store no more.

    Args:
        database: the open database.
        match: the filter of the jobs.
        tx: the transaction.

    Returns:
        The ids of the erasures of the copied parts, which are due; None if no fork matches.
    """
    found = await database.forks.find(match, {"_id": 1}, session=tx)
    if not found:
        return None
    session_ids = [job["_id"] for job in found]
    await database.forks.delete_many({"_id": {"$in": session_ids}}, session=tx)
    copied = {
        "_id": {"$in": [erasure.session_job(session_id) for session_id in session_ids]},
        "forking": {"$exists": True},
    }
    jobs = await database.erasures.find(copied, {"_id": 1}, session=tx)
    if jobs:
        due = {"$set": {"dueAt": now()}, "$unset": erasure.STAGED}
        await database.erasures.update_many(copied, due, session=tx)
    return [job["_id"] for job in jobs]
