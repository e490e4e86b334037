"""Reading the messages of a scope for a search."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from graph.store.database import Database
from graph.store.documents import Document, MessageDocument, SessionDocument
from graph.store.projection import projection
from graph.store.scope import Scope
from graph.store.visible import Visible

_AT_ONCE = 100
"""Messages that are read together: each may hold a megabyte."""
_SESSIONS_AT_ONCE = 1_000
_FIELDS = {"sessionId": 1, "seq": 1, "role": 1, "content": 1, "createdAt": 1, "entities.label": 1}


async def searched_sessions(
    database: Database, scope: Scope, *, user_id: str | None, session_id: str | None, limit: int
) -> list[SessionDocument]:
    """The sessions of a search within the scope, with `messageCount` and what `Visible.of` reads.

    Args:
        database: the open database.
        scope: what the caller may see.
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
    fields = projection({"messageCount", *Visible.FIELDS})
    return await database.sessions.find(match, fields, limit=limit)


async def messages_of(database: Database, sessions: Sequence[Visible]) -> AsyncIterator[list[MessageDocument]]:
    """The messages of the visible parts of sessions, in no order, part by part."""
    for start in range(0, len(sessions), _SESSIONS_AT_ONCE):
        parts = {part.session_id: part for part in sessions[start : start + _SESSIONS_AT_ONCE]}
        match = {"sessionId": {"$in": list(parts)}}
        async with aclosing(database.messages.batches(match, _FIELDS, size=_AT_ONCE, batch_size=_AT_ONCE)) as batches:
            async for read in batches:
                yield [message for message in read if parts[message["sessionId"]].sees(message["seq"])]
