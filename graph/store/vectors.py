"""The documents in `recall` with the vectors and terms of messages, created here and filled by `store.jobs.embedding`.

The transaction that stores a message's entities creates the document, so that adding a message has no extra cost. The
transaction that deletes the message or changes its content removes it, so that a vector never belongs to another text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graph.store.database import Database
from graph.store.documents import Document, OwnedMessage, RecallDocument, now
from graph.store.driver.types import DeleteMany, Transaction, UpdateOne
from graph.store.traced import traced

LAYOUT = 1
"""The version of the terms in a document: workers write the documents of messages with another one again."""


async def await_vectors(
    database: Database,
    messages: Sequence[OwnedMessage],
    tx: Transaction,
    known: Mapping[str, RecallDocument] | None = None,
) -> None:
    """Within a transaction that writes these messages, mark the messages without a vector, which need one.

    Args:
        database: the open database.
        messages: the messages.
        tx: the transaction.
        known: the documents of messages with a vector, by uuid, to store.
    """
    if not messages:
        return
    known = known or {}
    # The uuid of an erased message may be sent again before its vector is erased: a memory's id never is.
    of_others = {
        "_id": {"$in": [message["_id"] for message in messages]},
        "memoryId": {"$nin": list({message["memoryId"] for message in messages})},
    }
    at = now()
    noted = [
        UpdateOne(
            {"_id": message["_id"]},
            {
                "$setOnInsert": {
                    "memoryId": message["memoryId"],
                    "sessionId": message["sessionId"],
                    "seq": message["seq"],
                    "dueAt": at,
                    **traced(),
                }
            },
            upsert=True,
        )
        for message in messages
        if message["_id"] not in known
    ]
    noted += [
        # With MongoDB's time, by which searches look for later vectors.
        UpdateOne(
            {"_id": message["_id"]},
            {"$setOnInsert": {**_without_id(known[message["_id"]]), "dueAt": at}, "$currentDate": {"at": True}},
            upsert=True,
        )
        for message in messages
        if message["_id"] in known
    ]
    await database.recall.bulk_write([DeleteMany(of_others), *noted], session=tx)


def _without_id(document: RecallDocument) -> Document:
    return {name: value for name, value in document.items() if name != "_id"}


def without_vector(model: str) -> Document:
    """The filter of the documents without a vector of a model, or without terms of this version."""
    return {"$and": [{"$or": [{"model": {"$ne": model}}, {"layout": {"$ne": LAYOUT}}]}]}  # the caller may add an `$or`


async def forget_vectors(database: Database, uuids: Sequence[str], tx: Transaction) -> None:
    """Within a transaction, forget the vectors of messages that are deleted or have another content."""
    await database.recall.delete_many({"_id": {"$in": list(uuids)}}, session=tx)
