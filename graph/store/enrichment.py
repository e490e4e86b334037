"""Pending enrichment: finding it, holding it under a lease, and storing what came of it.

The work is the state on the message itself, so there is no queue that could disagree with the messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pymongo import UpdateOne

from graph.store.client import translated_errors
from graph.store.database import Database
from graph.store.documents import Document, EnrichmentState, EntityDocument, new_uuid, now


@dataclass(frozen=True, slots=True)
class Claim:
    """Messages that are this worker's until the lease runs out.

    Attributes:
        lease: the lease's name.
        messages: each with `_id`, `content` and `enrichment`.
    """

    lease: str
    messages: list[Document]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one message: its entities, or the reason for a failure."""

    uuid: str
    attempts: int
    entities: Sequence[EntityDocument] = ()
    failure: str | None = None


async def claim(database: Database, *, size: int, lease_seconds: float) -> Claim:
    """Take up to `size` due messages; those whose lease ran out are due again."""
    at = now()
    due = {"enrichment.state": EnrichmentState.PENDING.value, "enrichment.dueAt": {"$lte": at}}
    lease = new_uuid()
    with translated_errors():
        found = await database.messages.find(due, {"_id": 1}, sort=[("enrichment.dueAt", 1)], limit=size).to_list(None)
        if not found:
            return Claim(lease, [])
        chosen = {"_id": {"$in": [message["_id"] for message in found]}}
        await database.messages.update_many(
            {**chosen, **due},
            {
                "$set": {"enrichment.lease": lease, "enrichment.dueAt": at + timedelta(seconds=lease_seconds)},
                "$inc": {"enrichment.attempts": 1},
            },
        )
        held = await database.messages.find(
            {**chosen, "enrichment.lease": lease}, {"content": 1, "enrichment": 1}
        ).to_list(None)
    return Claim(lease, held)


async def complete(
    database: Database, lease: str, outcomes: Sequence[Outcome], *, most_attempts: int, retry_seconds: float
) -> None:
    """Store the outcomes of the messages that are still held: an edit or another worker's lease since then wins."""
    at = now()
    updates = []
    for outcome in outcomes:
        if outcome.failure is None:
            change: Document = {
                "entities": list(outcome.entities),
                "enrichment": {"state": EnrichmentState.DONE.value, "attempts": outcome.attempts, "at": at},
            }
        elif outcome.attempts >= most_attempts:
            change = {
                "enrichment": {
                    "state": EnrichmentState.FAILED.value,
                    "attempts": outcome.attempts,
                    "at": at,
                    "reason": outcome.failure,
                }
            }
        else:
            change = {
                "enrichment": {
                    "state": EnrichmentState.PENDING.value,
                    "attempts": outcome.attempts,
                    "dueAt": at + timedelta(seconds=retry_seconds * 2**outcome.attempts),
                    "reason": outcome.failure,
                }
            }
        updates.append(UpdateOne({"_id": outcome.uuid, "enrichment.lease": lease}, {"$set": change}))
    with translated_errors():
        await database.messages.bulk_write(updates, ordered=False)
