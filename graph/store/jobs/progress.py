"""The progress of enrichment, and the retry of failed messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from graph.store.database import Database
from graph.store.documents import Document, EnrichmentState, now, pending
from graph.store.driver.client import session_of
from graph.store.driver.collection import AnyCollection
from graph.store.driver.types import Transaction
from graph.store.hidden import hidden_contents
from graph.store.vectors import without_vector
from graph.store.visible import Visible

_EVER: Final = datetime(1, 1, 1, tzinfo=UTC)
_PENDING, _FAILED = EnrichmentState.PENDING.value, EnrichmentState.FAILED.value


async def retry(database: Database, visible: Visible | None = None, *, uuid: str | None = None) -> int:
    """Make `FAILED` messages pending again, with their attempts reset. Without `visible` and `uuid`, retry all.

    Args:
        database: the open database.
        visible: retry the messages of this session.
        uuid: retry this message.

    Returns:
        The number of messages.
    """
    chosen: Document = {"enrichment.state": _FAILED}
    if uuid is not None:
        chosen["_id"] = uuid
    if visible is not None:
        chosen |= visible.match("seq")
    elif hidden := await hidden_contents(database):
        chosen["$nor"] = [hidden]
    result = await database.messages.update_many(
        chosen, {"$set": {"enrichment": pending(now())}, "$inc": {"revision": 1}}
    )
    count: int = result.modified_count
    return count


async def failed_messages(database: Database, limit: int) -> list[str]:
    """Return the uuids of messages whose enrichment failed, oldest first."""
    hidden = await hidden_contents(database)
    match = {"enrichment.state": _FAILED, **({"$nor": [hidden]} if hidden else {})}
    found = await database.messages.find(match, {"_id": 1}, sort=[("createdAt", 1)], limit=limit)
    return [message["_id"] for message in found]


async def progress(database: Database, visible: Visible | None = None, *, model: str | None = None) -> Document:
    """Count the messages in each state, and find the oldest waiting one, in one snapshot.

    For all sessions, `done` is the sum of the sessions' counts minus the other states: MongoDB's count of a collection
    stays wrong after a kill, and counting every message would read a key for each.

    Args:
        database: the open database.
        visible: only messages of this session.
        model: the name of the model that embeds messages; None without one.

    Returns:
        `pending`, `done`, `failed`, `unembedded` and `oldestPendingAt`.
    """
    async with session_of(database.client, snapshot=True) as tx:
        return await _progress(database, visible, model, tx)


async def due_since(database: Database) -> datetime | None:
    """Return the earliest time of storage, or end of a lease, of the pending messages; None without a pending message.

    A client may choose any `createdAt`.
    """
    hidden = await hidden_contents(database)
    found = await database.messages.find_one(
        {"enrichment.state": _PENDING, "enrichment.dueAt": {"$gt": _EVER}, **({"$nor": [hidden]} if hidden else {})},
        {"_id": 0, "enrichment.dueAt": 1},
        sort=[("enrichment.dueAt", 1)],
    )
    return None if found is None else found["enrichment"]["dueAt"]


async def _progress(database: Database, visible: Visible | None, model: str | None, tx: Transaction) -> Document:
    within = {} if visible is None else {"sessionId": visible.session_id}
    hidden = await hidden_contents(database, tx=tx) if visible is None else visible.hidden()

    async def number_of(collection: AnyCollection, chosen: Document) -> int:
        # Hidden messages are subtracted: a filter would make MongoDB read all the others.
        number = await collection.count_documents(within | chosen, session=tx)
        if hidden:
            number -= await collection.count_documents(hidden | chosen, session=tx)
        return max(0, number)

    async def count(state: EnrichmentState) -> int:
        return await number_of(database.messages, {"enrichment.state": state.value})

    pending_, failed = await count(EnrichmentState.PENDING), await count(EnrichmentState.FAILED)
    if visible is None:
        done = max(0, await _messages_of_all(database, tx) - pending_ - failed)
    else:
        done = await count(EnrichmentState.DONE)
    oldest = await database.messages.find_one(
        {**within, "enrichment.state": _PENDING, **({"$nor": [hidden]} if hidden else {})},
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
