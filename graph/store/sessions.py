"""The `sessions` collection: conversations."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from graph.store.client import translated_errors
from graph.store.database import Database
from graph.store.documents import Document
from graph.store.projection import projection
from graph.store.scope import Scope

_AS_MEMORY = {"sessionId": "_id"}


async def find_session(
    database: Database, scope: Scope, session_id: str, fields: Collection[str] | None = None
) -> Document | None:
    """The session with only `fields`, or None when it is unknown or outside the scope."""
    with translated_errors():
        found: Document | None = await database.sessions.find_one(
            {"_id": session_id, **scope.sessions()}, projection(fields)
        )
    return found


async def find_session_memory(
    database: Database, scope: Scope, session_id: str, fields: Collection[str]
) -> Document | None:
    """A session's memory as one: shaped like a document of `memories`, without a range of its own.

    `uuid`, `createdAt`, `metadata` and `tokenCount` are the session's.
    """
    with translated_errors():
        found: Document | None = await database.sessions.find_one(
            {"_id": session_id, **scope.sessions()}, projection({*fields, "sessionId"}, _AS_MEMORY)
        )
    return None if found is None else as_session_memory(found)


def as_session_memory(session: Document) -> Document:
    """A session document, read with at least `_id`, as the source of a `Memory`."""
    memory: dict[str, Any] = {name: value for name, value in session.items() if name != "_id"}
    memory["sessionId"] = session["_id"]
    return memory


async def find_sessions(
    database: Database, scope: Scope, session_ids: Collection[str], fields: Collection[str]
) -> list[Document]:
    """Those of the sessions that exist within the scope, in no order."""
    with translated_errors():
        found: list[Document] = await database.sessions.find(
            {"_id": {"$in": list(session_ids)}, **scope.sessions()}, projection({*fields, "_id"})
        ).to_list(None)
    return found
