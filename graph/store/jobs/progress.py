"""The progress of enrichment, and the retry of failed messages."""

from __future__ import annotations

from graph.store.database import Database
from graph.store.documents import Document, EnrichmentState, now, pending
from graph.store.driver.client import session_of
from graph.store.driver.collection import AnyCollection
from graph.store.driver.types import Transaction
from graph.store.vectors import without_vector

_PENDING, _FAILED = EnrichmentState.PENDING.value, EnrichmentState.FAILED.value


async def retry(database: Database, *, session_id: str | None = None, uuid: str | None = None) -> int:
    """Make `FAILED` messages pending again, with their attempts reset. Without `session_id` and `uuid`, retry all.

    Args:
        database: the open database.
        session_id: retry the messages of this session.
        uuid: retry this message.

    Returns:
        The number of messages.
    """
    chosen: Document = {"enrichment.state": _FAILED}
    if uuid is not None:
        chosen["_id"] = uuid
    chosen |= await _visible_filter(database, session_id)
    result = await database.messages.update_many(
        chosen, {"$set": {"enrichment": pending(now())}, "$inc": {"revision": 1}}
    )
    count: int = result.modified_count
    return count


async def _visible_filter(database: Database, session_id: str | None, tx: Transaction | None = None) -> Document:
    """Return the filter of the messages of a session, or of all, without those that are being erased."""
    if session_id is None:
        erased = await _being_erased(database, tx)
        return {"$nor": [erased]} if erased else {}
    job = await database.erasures.find_one({"sessionId": session_id}, {"lastSeq": 1}, session=tx)
    return {"sessionId": session_id, **({} if job is None else {"seq": {"$gt": job["lastSeq"]}})}


async def _being_erased(database: Database, tx: Transaction | None) -> Document | None:
    """Return the filter of invisible messages: being erased, or of an unfinished import; None if there are none."""
    jobs = await database.erasures.find(
        {"sessionId": {"$exists": True}}, {"sessionId": 1, "lastSeq": 1, "whole": 1}, session=tx
    )
    parts: list[Document] = [
        {"sessionId": job["sessionId"], "seq": {"$lte": job["lastSeq"]}} for job in jobs if "whole" not in job
    ]
    if whole := [job["sessionId"] for job in jobs if "whole" in job]:
        parts.append({"sessionId": {"$in": whole}})
    return {"$or": parts} if parts else None


async def progress(database: Database, session_id: str | None = None, *, model: str | None = None) -> Document:
    """Count the messages in each state, and find the oldest waiting one, in one snapshot.

    For all sessions, `done` is the sum of the sessions' counts minus the other states: MongoDB's count of a collection
    stays wrong after a kill, and counting every message would read a key for each.

    Args:
        database: the open database.
        session_id: only messages of this session.
        model: the name of the model that embeds messages; None without one.

    Returns:
        `pending`, `done`, `failed`, `unembedded` and `oldestPendingAt`.
    """
    async with session_of(database.client, snapshot=True) as tx:
        return await _progress(database, session_id, model, tx)


async def _progress(database: Database, session_id: str | None, model: str | None, tx: Transaction) -> Document:
    within = {} if session_id is None else await _visible_filter(database, session_id, tx)
    erased = await _being_erased(database, tx) if session_id is None else None

    async def number_of(collection: AnyCollection, chosen: Document) -> int:
        # Messages that are being erased are subtracted: a filter would make MongoDB read all the others.
        number = await collection.count_documents(within | chosen, session=tx)
        if erased:
            number -= await collection.count_documents(erased | chosen, session=tx)
        return max(0, number)

    async def count(state: EnrichmentState) -> int:
        return await number_of(database.messages, {"enrichment.state": state.value})

    pending_, failed = await count(EnrichmentState.PENDING), await count(EnrichmentState.FAILED)
    if session_id is None:
        done = max(0, await _messages_of_all(database, tx) - pending_ - failed)
    else:
        done = await count(EnrichmentState.DONE)
    oldest = await database.messages.find_one(
        {**within, "enrichment.state": _PENDING, **({"$nor": [erased]} if erased else {})},
        {"_id": 0, "createdAt": 1},
        sort=[("createdAt", 1)],
        session=tx,
    )
    # A message gets a document in `recall` with its entities.
    unembedded = 0 if model is None else pending_ + await number_of(database.recall, without_vector(model))
    return {
        "pending": pending_,
        "done": done,
        "failed": failed,
        "unembedded": unembedded,
        "oldestPendingAt": oldest and oldest["createdAt"],
    }


async def _messages_of_all(database: Database, tx: Transaction) -> int:
    """Return the number of messages of all sessions, from the sessions' own counts, which are transactional."""
    found = await database.sessions.aggregate(
        [{"$group": {"_id": None, "count": {"$sum": "$messageCount"}}}], session=tx
    )
    return int(found[0]["count"]) if found else 0
