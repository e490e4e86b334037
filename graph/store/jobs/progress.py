"""How far the enrichment has come, and beginning what failed again."""

from __future__ import annotations

from graph.store.database import Database
from graph.store.documents import Document, EnrichmentState, now, pending
from graph.store.driver.client import translated_errors

_PENDING, _FAILED = EnrichmentState.PENDING.value, EnrichmentState.FAILED.value


async def retry(database: Database, *, session_id: str | None = None, uuid: str | None = None) -> int:
    """Make `FAILED` messages pending again, with all their attempts before them.

    Args:
        database: the open database.
        session_id: those of one session.
        uuid: this one; without either, all.

    Returns:
        how many they were.
    """
    chosen: Document = {"enrichment.state": _FAILED}
    if uuid is not None:
        chosen["_id"] = uuid
    with translated_errors():
        chosen |= await _there(database, session_id)
        result = await database.messages.update_many(chosen, {"$set": {"enrichment": pending(now())}})
    count: int = result.modified_count
    return count


async def _there(database: Database, session_id: str | None) -> Document:
    """The filter of the messages of a session, or of all, without those that are being erased."""
    if session_id is None:
        erased = await _being_erased(database)
        return {"$nor": [erased]} if erased else {}
    job = await database.erasures.find_one({"sessionId": session_id}, {"lastSeq": 1})
    return {"sessionId": session_id, **({} if job is None else {"seq": {"$gt": job["lastSeq"]}})}


async def _being_erased(database: Database) -> Document | None:
    """The filter of the messages that count as gone, and of those that an import has not shown yet; None for none."""
    jobs = await database.erasures.find(
        {"sessionId": {"$exists": True}}, {"sessionId": 1, "lastSeq": 1, "whole": 1}
    ).to_list(None)
    parts: list[Document] = [
        {"sessionId": job["sessionId"], "seq": {"$lte": job["lastSeq"]}} for job in jobs if "whole" not in job
    ]
    if whole := [job["sessionId"] for job in jobs if "whole" in job]:
        parts.append({"sessionId": {"$in": whole}})
    return {"$or": parts} if parts else None


async def progress(database: Database, session_id: str | None = None) -> Document:
    """How many messages are in each state, and since when the oldest waits, without reading the messages.

    Of all sessions together, `done` is what MongoDB's own count of the messages leaves.

    Returns:
        `pending`, `done`, `failed` and `oldestPendingAt`.
    """
    counts: dict[str, int] = {}
    with translated_errors():
        within = {} if session_id is None else await _there(database, session_id)
        erased = await _being_erased(database) if session_id is None else None

        async def count(state: EnrichmentState | None) -> int:
            # What is being erased is taken off: a filter would make MongoDB read all the others.
            chosen: Document = {} if state is None else {"enrichment.state": state.value}
            number: int = (
                await database.messages.count_documents(within | chosen)
                if within or chosen
                else await database.messages.estimated_document_count()
            )
            return number - (await database.messages.count_documents(erased | chosen) if erased else 0)

        for state in (EnrichmentState.PENDING, EnrichmentState.FAILED):
            counts[state.value.lower()] = max(0, await count(state))
        if session_id is None:
            counts["done"] = max(0, await count(None) - counts["pending"] - counts["failed"])
        else:
            counts["done"] = await count(EnrichmentState.DONE)
        oldest = await database.messages.find_one(
            {**within, "enrichment.state": _PENDING, **({"$nor": [erased]} if erased else {})},
            {"_id": 0, "createdAt": 1},
            sort=[("createdAt", 1)],
        )
    return {**counts, "oldestPendingAt": oldest and oldest["createdAt"]}
