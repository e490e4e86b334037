"""A session's memory and its messages in one read.

A round trip through the driver costs as much as the rest of a small request, and what one read finds is of one moment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pymongo.errors import OperationFailure

from graph.store.client import RESPONSE_CODEC, aggregate_at_once, translated_errors
from graph.store.database import Database
from graph.store.documents import Document
from graph.store.projection import projection
from graph.store.scope import Scope
from graph.store.sessions import AS_MEMORY, as_session_memory

_TOO_LARGE = frozenset({4568, 10334, 17419, 17420})
"""MongoDB's codes for a document beyond 16 MiB, which messages of a mebibyte each can make together."""

_ENDS = ("summarySeq", "erasedSeq")
"""The session's numbers up to which its messages are summarised, and erased."""


class TooLarge(Exception):
    """The messages are too large together for one document."""


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest messages of a session.

    Attributes:
        count: at most so many, at least 1.
        fields: what to read of each.
        after_summary: only those that the newest summary does not cover.
    """

    count: int
    fields: Collection[str]
    after_summary: bool


async def find_recent_memory(
    database: Database, scope: Scope, session_id: str, fields: Collection[str], recent: Recent
) -> Document | None:
    """A session's memory as `find_session_memory` gives it, with `messages`, oldest first.

    Times have no zone: they are in UTC, and decode in a fraction of the time that way.

    Raises:
        TooLarge: read the messages apart.
    """
    pipeline = [
        {"$match": {"_id": session_id, **scope.sessions()}},
        {
            "$lookup": {
                "from": database.messages.name,
                "as": "messages",
                "localField": "_id",
                "foreignField": "sessionId",
                "pipeline": [
                    {"$sort": {"seq": -1}},
                    {"$limit": recent.count},
                    {"$project": projection({*recent.fields, "seq"})},
                ],
            }
        },
        {"$project": {**(projection({*fields, "sessionId", *_ENDS}, AS_MEMORY) or {}), "messages": 1}},
    ]
    try:
        with translated_errors():
            found = await aggregate_at_once(database.sessions, pipeline, RESPONSE_CODEC)
    except OperationFailure as error:
        if error.code not in _TOO_LARGE:
            raise
        raise TooLarge from error
    if not found:
        return None
    memory = as_session_memory(found[0])
    after = max(memory.get(name, 0) for name in (_ENDS if recent.after_summary else ("erasedSeq",)))
    memory["messages"] = [message for message in reversed(memory["messages"]) if message["seq"] > after]
    return memory
