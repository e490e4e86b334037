"""Sessions that have expired, for tests that can't wait for the time."""

from __future__ import annotations

from graph.store.database import Database
from graph.store.documents import EntityDocument, MatchDocument
from graph.store.jobs import enrichment
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import Outcome
from tests.support.untyped import untyped

PAST = {"$subtract": ["$$NOW", 1]}
"""The millisecond before, by MongoDB's clock."""


async def expire(database: Database, *session_ids: str) -> None:
    """Make sessions expire now, as if their time had passed."""
    sessions = untyped(database, "sessions")
    await sessions.update_many({"_id": {"$in": list(session_ids)}}, [{"$set": {"expiresAt": PAST}}])


async def read_names(database: Database) -> None:
    """Find one name at the beginning of each pending message, as a worker does."""
    held = await enrichment.claim(database, Limits(messages=1_000, tokens=10**6, attempts=5), lease_seconds=60)
    outcomes = []
    for message in held.messages:
        name = message["content"].split()[0]
        matches: list[MatchDocument] = [{"start": 0, "end": len(name), "text": name}]
        entity: EntityDocument = {"key": f"PERSON:{name.lower()}", "name": name, "label": "PERSON", "matches": matches}
        outcomes.append(Outcome(message["_id"], 1, [entity]))
    assert await enrichment.complete(database, held.lease, outcomes) == len(outcomes)


async def stored(database: Database, session_id: str) -> dict[str, int]:
    """How many documents each collection still has of a session."""
    of_session = {"sessionId": session_id}
    return {
        "sessions": await untyped(database, "sessions").count_documents({"_id": session_id}),
        **{
            name: await untyped(database, name).count_documents(of_session)
            for name in ("messages", "memories", "summaries", "recall", "entities")
        },
    }
