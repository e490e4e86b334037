"""The vectors and terms of copied messages: a copy has the text of its original, so that no model reads it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graph.store.database import Database
from graph.store.documents import MessageDocument, RecallDocument
from graph.store.driver.types import Transaction

_COPIED = {
    "memoryId": 1,
    "dueAt": 1,
    "model": 1,
    "vector": 1,
    "scale": 1,
    "layout": 1,
    "language": 1,
    "terms": 1,
    "question": 1,
    "ofTools": 1,
    "failure": 1,
}
"""The fields that depend on the text alone, and the fields that the copy gets of its own."""


async def recall_of(
    database: Database, messages: Sequence[MessageDocument], tx: Transaction | None = None
) -> dict[str, RecallDocument]:
    """Return the documents with a vector, or without one for a reason, of messages, by uuid.

    Within a transaction, they belong to the messages that the transaction read. Otherwise, a message may have been
    edited since it was read: then its document is left out.
    """
    memories = {message["_id"]: message["memoryId"] for message in messages}
    done = {"_id": {"$in": list(memories)}, "model": {"$exists": True}}
    found = await database.recall.find(done, _COPIED, session=tx)
    # The uuid of an erased message may be sent again before its document is erased: a memory's id never is.
    own = {one["_id"]: one for one in found if memories[one["_id"]] == one["memoryId"]}
    if tx is None and own:
        revisions = {message["_id"]: message.get("revision", 0) for message in messages}
        again = await database.messages.find({"_id": {"$in": list(own)}}, {"memoryId": 1, "revision": 1})
        same = {
            one["_id"]
            for one in again
            if (one["memoryId"], one.get("revision", 0)) == (memories[one["_id"]], revisions[one["_id"]])
        }
        own = {uuid: one for uuid, one in own.items() if uuid in same}
    return own


def copied_recall(
    originals: Mapping[str, RecallDocument], pairs: Sequence[tuple[MessageDocument, MessageDocument]]
) -> dict[str, RecallDocument]:
    """Return the documents of copies, by the uuid of the copy, where the original has one.

    Args:
        originals: the documents of the originals, by uuid.
        pairs: each original with its copy.
    """
    return {
        copy["_id"]: {
            **originals[old["_id"]],
            "_id": copy["_id"],
            "memoryId": copy["memoryId"],
            "sessionId": copy["sessionId"],
            "seq": copy["seq"],
        }
        for old, copy in pairs
        if old["_id"] in originals
    }
