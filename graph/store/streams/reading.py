"""The collections `streams` and `pieces`: messages that are still being written.

The message has its place in the session from the start, and an empty content until its end. Each change of a stream
writes its document in `streams`, so that an append and an end, a deletion or an erasure exclude each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from graph.store.database import Database
from graph.store.documents import MessageDocument
from graph.store.driver.types import Transaction
from graph.store.feed.changes import Moment, causally_after
from graph.store.streams.documents import MessageStatus


def is_streaming(message: MessageDocument) -> bool:
    """Return whether a message, read with `status`, is still being written."""
    return message.get("status") == MessageStatus.STREAMING


async def next_index(database: Database, message: MessageDocument, after: Moment | None) -> int | None:
    """Return the index of the next piece of a message; None if it is not being written.

    Args:
        database: the open database.
        message: with `_id` and `memoryId`.
        after: reads causally after this moment.
    """
    async with causally_after(database.client, after) as tx:
        same = {"_id": message["_id"], "memoryId": message["memoryId"]}
        found = await database.streams.find_one(same, {"nextIndex": 1}, session=tx)
    return None if found is None else found["nextIndex"]


async def forget_streams(database: Database, messages: Sequence[MessageDocument], tx: Transaction) -> None:
    """Within a transaction, delete the streams and pieces of those messages, read with `status`, that have a stream."""
    for message in filter(is_streaming, messages):
        await database.streams.delete_one({"_id": message["_id"]}, session=tx)
        await database.pieces.delete_many({"sessionId": message["sessionId"], "seq": message["seq"]}, session=tx)
