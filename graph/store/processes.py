"""The collection `processes`: the figures of each running web process, for all others.

MongoDB removes the figures of a process that no longer renews them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from graph.store.database import Database
from graph.store.documents import now
from graph.store.driver import client as driver
from graph.store.service_documents import OperationTimesDocument, ProcessDocument

VALIDITY: Final = timedelta(seconds=60)
"""The time for which figures count without another writing of them."""
_MOST: Final = 200
"""Maximum number of processes that are read: each has about 3 KB."""


async def report(
    database: Database, process_id: str, subscribers: int, operations: list[OperationTimesDocument]
) -> None:
    """Store the figures of a process, in the place of its earlier ones.

    Args:
        database: the open database.
        process_id: identifies the process.
        subscribers: the number of its open subscriptions.
        operations: the times of its slowest operations, a bounded number.

    Raises:
        Unavailable: MongoDB does not answer.
    """
    figures: ProcessDocument = {
        "_id": process_id,
        "subscribers": subscribers,
        "operations": operations,
        "expiresAt": now() + VALIDITY,
    }
    # No replacement: of an update, the oplog has the changed fields alone, of an idle process only the time.
    changes = {name: value for name, value in figures.items() if name != "_id"}
    await database.processes.update_one({"_id": process_id}, {"$set": changes}, upsert=True)


async def others(database: Database, process_id: str, seconds: float) -> list[ProcessDocument]:
    """Return the figures of all processes but one.

    Args:
        database: the open database.
        process_id: identifies the one.
        seconds: the maximum time, the selection of a server included.

    Raises:
        Unavailable: MongoDB did not answer in time.
    """
    with driver.answering_within(seconds):
        found = await database.processes.find({"expiresAt": {"$gt": now()}}, sort=[("expiresAt", -1)], limit=_MOST)
    return [one for one in found if one["_id"] != process_id]


async def forget(database: Database, process_id: str, seconds: float) -> None:
    """Delete the figures of a process that ends.

    Args:
        database: the open database.
        process_id: identifies the process.
        seconds: the maximum time, the selection of a server included.

    Raises:
        Unavailable: MongoDB did not answer in time.
    """
    with driver.answering_within(seconds):
        await database.processes.delete_one({"_id": process_id})
