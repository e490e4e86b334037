"""The pending work of each kind, for metrics."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from graph.store.database import Database
from graph.store.documents import Document, EnrichmentState, now
from graph.store.driver.client import answering_within
from graph.store.driver.collection import AnyCollection
from graph.store.jobs.embedding import current_model
from graph.store.vectors import without_vector

MOST: Final = 100_000
"""Maximum depth that is counted: a count reads a key of an index for each."""
_SECONDS = 5.0


async def depths(database: Database) -> dict[str, tuple[int, float]]:
    """Return the number, at most `MOST`, and the age in seconds of the oldest of the pending work, by kind.

    The age of work that was tried is from the time of the next attempt on, so 0 while a worker holds it.

    Raises:
        Unavailable: MongoDB does not answer.
    """
    kinds: dict[str, tuple[AnyCollection, Document, str]] = {
        "entities": (database.messages, {"enrichment.state": EnrichmentState.PENDING.value}, "createdAt"),
        "summaries": (database.all_sessions, {"summarising.dueAt": {"$exists": True}}, "summarising.dueAt"),
        "erasures": (database.erasures, {}, "dueAt"),
        "handovers": (database.handovers, {}, "dueAt"),
        "retentions": (database.retentions, {}, "dueAt"),
        "forks": (database.forks, {"failed": {"$exists": False}}, "dueAt"),
    }
    with answering_within(_SECONDS):
        model = await current_model(database)
        if model is not None:
            kinds["embeddings"] = (database.recall, without_vector(model), "dueAt")
        return {kind: await _depth(*of) for kind, of in kinds.items()}


async def _depth(collection: AnyCollection, chosen: Document, path: str) -> tuple[int, float]:
    oldest = await collection.find_one(chosen, {"_id": 0, path: 1}, sort=[(path, 1)])
    if oldest is None:
        return 0, 0.0
    since: Any = oldest
    for name in path.split("."):
        since = since.get(name) if isinstance(since, dict) else None
    age = (now() - since).total_seconds() if isinstance(since, datetime) else 0.0
    return await collection.count_documents(chosen, limit=MOST), max(0.0, age)
