"""Entities of several messages together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graph.store.client import aggregate, translated_errors
from graph.store.database import Database
from graph.store.documents import Document

MOST = 1_000
"""Entities that one list holds."""


async def entities_in_range(
    database: Database,
    session_id: str,
    scope: str,
    *,
    labels: Sequence[str] | None = None,
    first_seq: int = 1,
    last_seq: int | None = None,
) -> list[Document]:
    """The entities of a session's messages within a range, merged by their key, most mentioned first.

    Each has `scope`, `key`, `name`, `label`, `mentionCount`, `firstSeenAt`, `lastSeenAt` and `matches`, which have
    `messageId`.
    """
    bounds = {"$gte": first_seq} if last_seq is None else {"$gte": first_seq, "$lte": last_seq}
    with translated_errors():
        return await aggregate(
            database.messages,
            [
                {"$match": {"sessionId": session_id, "seq": bounds}},
                {"$sort": {"seq": 1}},
                {"$unwind": "$entities"},
                *([] if labels is None else [{"$match": {"entities.label": {"$in": list(labels)}}}]),
                {"$unwind": "$entities.matches"},
                {
                    "$group": {
                        "_id": "$entities.key",
                        "name": {"$first": "$entities.name"},
                        "label": {"$first": "$entities.label"},
                        "mentionCount": {"$sum": 1},
                        "firstSeenAt": {"$first": "$createdAt"},
                        "lastSeenAt": {"$last": "$createdAt"},
                        "matches": {"$push": {"$mergeObjects": ["$entities.matches", {"messageId": "$_id"}]}},
                    }
                },
                {"$sort": {"mentionCount": -1, "_id": 1}},
                {"$limit": MOST},
                {"$set": {"key": "$_id", "scope": {"$literal": scope}}},
            ],
        )


# Entities are aggregated from the messages when they are read, so the messages' own change is the whole of it: the
# functions from here on are where a write would keep entities of a wider scope exact, within its transaction.


async def replace_all(
    database: Database, changes: Sequence[tuple[Document | None, Document | None]], session: Any
) -> None:
    """Nothing yet: entities of a session are read from its messages."""


async def replace_mentions(database: Database, old: Document | None, new: Document | None, session: Any) -> None:
    """Take the mentions of a message as it was out of its session's and user's entities, and put in those it has now.

    Args:
        database: the open database.
        old: the message before, with `_id`, `sessionId`, `seq`, `createdAt` and `entities`; None for a new one.
        new: the message afterwards; None for a deleted one.
        session: the driver session of the transaction that writes the message. The session's document is as it was.
    """


async def forget_session(database: Database, session_id: str, user_id: str | None, session: Any) -> None:
    """Take all mentions of a session's messages away: its entities go, and its user's are as if it had no message.

    The session's document may be gone already within the transaction, and its messages go by themselves.
    """


async def forget_user(database: Database, user_id: str, session: Any) -> None:
    """Take the entities of a user away, whose sessions go by themselves, at once or soon after."""
