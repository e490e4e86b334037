"""Reading the messages of a scope for a search."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime

from graph.store.database import Database
from graph.store.documents import Document, MessageDocument, RecallDocument, SessionDocument
from graph.store.messages import MessageFilter
from graph.store.metadata import Condition
from graph.store.projection import projection
from graph.store.scope import Scope
from graph.store.visible import Visible

_AT_ONCE = 100
"""Messages that are read together: each may hold a megabyte."""
_SESSIONS_AT_ONCE = 1_000
_PARTS_AT_ONCE = 100
_FIELDS = {
    "sessionId": 1,
    "seq": 1,
    "role": 1,
    "content": 1,
    "createdAt": 1,
    "entities.label": 1,
    "editedAt": 1,
    "enrichment.at": 1,
}
_STATE = {"editedAt": 1, "enrichment.at": 1}


async def searched_sessions(
    database: Database, scope: Scope, *, user_id: str | None, session_id: str | None, limit: int
) -> list[SessionDocument]:
    """The sessions of a search within the scope, with `messageCount`, `lastSeq` and the paths that `Visible.of` reads.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        user_id: only sessions of this user.
        session_id: only this session.
        limit: the maximum number.
    """
    match: Document = scope.sessions()
    if user_id is not None:
        if match.get("userId", user_id) != user_id:
            return []
        match["userId"] = user_id
    if session_id is not None:
        match["_id"] = session_id
    fields = projection({"messageCount", "lastSeq", *Visible.FIELDS})
    return await database.sessions.find(match, fields, limit=limit)


async def messages_of(database: Database, sessions: Sequence[Visible]) -> AsyncIterator[list[MessageDocument]]:
    """The messages of the visible parts of sessions, in no order, part by part."""
    for start in range(0, len(sessions), _SESSIONS_AT_ONCE):
        parts = {part.session_id: part for part in sessions[start : start + _SESSIONS_AT_ONCE]}
        async for read in _read(database, {"sessionId": {"$in": list(parts)}}):
            yield [message for message in read if parts[message["sessionId"]].sees(message["seq"])]


async def later_messages(database: Database, parts: Sequence[Visible]) -> AsyncIterator[list[MessageDocument]]:
    """Yield the messages of a few parts of sessions, each of which is the end of its session."""
    for start in range(0, len(parts), _PARTS_AT_ONCE):
        matches = [part.match("seq") for part in parts[start : start + _PARTS_AT_ONCE]]
        async for read in _read(database, {"$or": matches}):
            yield read


async def messages_with(database: Database, uuids: Sequence[str]) -> AsyncIterator[list[MessageDocument]]:
    """The messages with these uuids, whose sessions the caller has been found to see."""
    async for read in _read(database, {"_id": {"$in": list(uuids)}}):
        yield read


async def messages_meeting(
    database: Database, sessions: Sequence[Visible], conditions: Sequence[Condition], entity: str | None
) -> set[str]:
    """Return the uuids of messages that meet conditions, in the visible parts of sessions.

    Args:
        database: the open database.
        sessions: the visible parts of the sessions.
        conditions: conditions on the metadata of a message.
        entity: the name of an entity of the message, with any label.
    """
    meets = MessageFilter(metadata=tuple(conditions), entity=entity).conditions()
    found: set[str] = set()
    for start in range(0, len(sessions), _SESSIONS_AT_ONCE):
        parts = {part.session_id: part for part in sessions[start : start + _SESSIONS_AT_ONCE]}
        match = {"sessionId": {"$in": list(parts)}, **meets}
        for message in await database.messages.find(match, {"sessionId": 1, "seq": 1}):
            if parts[message["sessionId"]].sees(message["seq"]):
                found.add(message["_id"])
    return found


async def _read(database: Database, match: Document) -> AsyncIterator[list[MessageDocument]]:
    async with aclosing(database.messages.batches(match, _FIELDS, size=_AT_ONCE, batch_size=_AT_ONCE)) as batches:
        async for read in batches:
            yield read


async def changed_messages(
    database: Database, session_ids: Sequence[str], since: datetime
) -> dict[str, tuple[datetime | None, datetime | None]]:
    """When messages that changed since a time were last edited, and their enrichment ended, by uuid."""
    found: dict[str, tuple[datetime | None, datetime | None]] = {}
    for start in range(0, len(session_ids), _SESSIONS_AT_ONCE):
        within = {"sessionId": {"$in": list(session_ids[start : start + _SESSIONS_AT_ONCE])}}
        for name in ("editedAt", "enrichment.at"):
            for message in await database.messages.find({**within, name: {"$gte": since}}, _STATE):
                found[message["_id"]] = version_of(message)
    return found


def version_of(message: MessageDocument) -> tuple[datetime | None, datetime | None]:
    """Return the version of a message: the times of its last edit and of its enrichment."""
    return message.get("editedAt"), message.get("enrichment", {}).get("at")


async def vectors_of(
    database: Database, session_ids: Sequence[str], model: str, since: datetime | None = None
) -> list[RecallDocument]:
    """The vectors of a model that were stored since a time, of sessions in the caller's scope."""
    found: list[RecallDocument] = []
    for start in range(0, len(session_ids), _SESSIONS_AT_ONCE):
        match: Document = {"sessionId": {"$in": list(session_ids[start : start + _SESSIONS_AT_ONCE])}, "model": model}
        if since is not None:
            match["at"] = {"$gte": since}
        found += await database.recall.find(match, {"sessionId": 1, "seq": 1, "vector": 1, "scale": 1, "at": 1})
    return found
