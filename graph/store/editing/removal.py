"""The removal of single messages from a session, with the documents that depend on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from graph.store import summaries
from graph.store.database import Database
from graph.store.documents import MessageDocument, SessionDocument, now
from graph.store.driver.types import Transaction, UpdateOne
from graph.store.editing.stamps import stamp_of
from graph.store.entities import mentions
from graph.store.feed.tombstones import add_message_tombstones
from graph.store.streams.reading import forget_streams
from graph.store.tree.heads import leave_removed
from graph.store.vectors import forget_vectors
from graph.store.writes import next_revision


async def remove_messages(
    database: Database,
    session: SessionDocument,
    messages: Sequence[MessageDocument],
    tx: Transaction,
    *,
    edited: int = 0,
) -> None:
    """Within a transaction, delete messages and their dependent documents; the caller updates the session's counts.

    Args:
        database: the open database.
        session: the session of the messages before the transaction, with `revision` and `Visible.HEAD_FIELDS`.
        messages: at least one, with `seq`, `branch`, `memoryId`, `tokenCount`, `createdAt` and `entities`.
        tx: the transaction.
        edited: the number of messages that the transaction edits.
    """
    uuids = [message["_id"] for message in messages]
    await add_message_tombstones(database, messages, stamp_of(next_revision(session), len(messages) + edited), tx)
    await database.messages.delete_many({"_id": {"$in": uuids}}, session=tx)
    await forget_vectors(database, uuids, tx)
    await forget_streams(database, messages, tx)
    tokens: Counter[str] = Counter()
    for message in messages:
        tokens[message["memoryId"]] += message["tokenCount"]
    await database.memories.bulk_write(
        [UpdateOne({"_id": _id}, {"$inc": {"tokenCount": -count}}) for _id, count in tokens.items()], session=tx
    )
    await mentions.replace_all(database, [(message, None) for message in messages], tx)
    visible = await leave_removed(database, session, messages, tx)
    await summaries.forget_messages(database, session, messages, visible, tx)


async def count_removed(database: Database, messages: Sequence[MessageDocument], tx: Transaction) -> None:
    """Within a transaction, update the session of removed messages."""
    tokens = sum(message["tokenCount"] for message in messages)
    await database.sessions.update_one(
        {"_id": messages[0]["sessionId"]},
        {
            "$inc": {"messageCount": -len(messages), "tokenCount": -tokens, "revision": 1},
            "$max": {"updatedAt": now()},
        },
        session=tx,
    )
