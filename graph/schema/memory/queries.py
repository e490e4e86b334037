"""Queries for a session and its memory."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import as_source, resolved
from graph.execution.selection import Selection
from graph.operations.sessions import find_session
from graph.schema.context import Info
from graph.schema.memory.types import MESSAGES_OF_SESSION, Memory, session_memory
from graph.schema.sessions.types import Session

SessionId = Annotated[strawberry.ID, strawberry.argument(description="The application's own id of the session.")]


@strawberry.type
class MemoryQueries:
    """Queries on sessions and their memories."""

    @resolved(
        description="A session's memory: its newest summary and messages. Null for an unknown session.",
        sizes_below=MESSAGES_OF_SESSION,
    )
    async def memory(self, info: Info, session_id: SessionId) -> Memory | None:
        return as_source(await session_memory(info, session_id))

    @strawberry.field(description="A session. Null for an unknown session.")
    async def session(self, info: Info, session_id: SessionId) -> Session | None:
        found = await find_session(info.context.backend, info.context.scope, session_id, Selection.of(info).reads())
        return as_source(found)
