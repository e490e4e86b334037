"""A session's memory and its messages in one read.

A round trip through the driver costs as much as the rest of a small request, and one read sees one moment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from graph.store.database import Database
from graph.store.documents import Document
from graph.store.driver.client import RESPONSE_CODEC
from graph.store.messages import messages_in_range
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.sessions import AS_MEMORY, as_session_memory
from graph.store.visible import Visible

_IS_SESSION = "isSession"


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest messages of a session.

    Attributes:
        count: the maximum number, at least 1.
        fields: the paths to read of each message.
        after_summary: whether to leave out the messages that the newest summary covers.
    """

    count: int
    fields: Collection[str]
    after_summary: bool


async def find_recent_memory(
    database: Database, scope: Scope, session_id: str, fields: Collection[str], recent: Recent
) -> Document | None:
    """Return the result of `find_session_memory` with `messages`, oldest first.

    A session with branches takes a second read: which messages are on the path is known after the first one.

    Times are in UTC without a zone, which takes a fraction of the time to decode.
    """
    sessions = database.sessions
    read = {*fields, "sessionId", "summarySeq", *Visible.MEMORY_FIELDS, *sessions.fields_of_existence}
    of_session = projection(read, AS_MEMORY) or {}
    pipeline = [
        {"$match": {"_id": session_id, **scope.sessions()}},
        {"$project": {**of_session, _IS_SESSION: {"$literal": True}}},
        {
            "$unionWith": {
                "coll": database.messages.name,
                "pipeline": [
                    {"$match": {"sessionId": session_id}},
                    {"$sort": {"seq": -1}},
                    {"$limit": recent.count},
                    {"$project": projection({*recent.fields, "seq"})},
                ],
            }
        },
    ]
    # A pipeline over `sessions` would be planned, since its first condition is not `_id` alone.
    found = await database.all_sessions.aggregate_at_once(pipeline, RESPONSE_CODEC, most=1 + recent.count)
    # Messages without a session belong to a session outside the scope.
    if not found or not found[0].pop(_IS_SESSION, False):
        return None
    if not await sessions.has(session_id, found[0]):
        return None
    memory = as_session_memory(found[0])
    visible = Visible.of_memory(memory)
    if recent.after_summary:
        visible = visible.beyond(memory.get("summarySeq", 0))
    if visible.path is None:
        memory["messages"] = [message for message in reversed(found[1:]) if visible.sees(message["seq"])]
    else:  # the newest messages may be in other branches
        memory["messages"] = await messages_in_range(database, visible, recent.fields, last=recent.count)
    return memory
