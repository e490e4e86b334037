"""Sessions: conversations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from graph.execution.fields import computed, resolved, stored
from graph.execution.selection import Selection
from graph.schema.context import Info
from graph.schema.memory import Memory
from graph.schema.node import DocumentType, Node, global_id
from graph.schema.scalars import JSON
from graph.store.sessions import find_session_memory


@strawberry.type(description="A conversation, by the id that the application chose for it.")
class Session(Node, DocumentType):
    """The source is a document of `sessions`."""

    id: strawberry.ID = computed(
        lambda session: global_id("Session", session["_id"]), "_id", description="Opaque global id."
    )
    session_id: strawberry.ID = stored("_id", description="The application's own id of the session.")
    uuid: strawberry.ID = stored("uuid", description="A UUID given when the session was made.")
    created_at: datetime = stored("createdAt", description="When it was made.")
    updated_at: datetime = stored("updatedAt", description="When it last changed, or got a message.")
    metadata: JSON = stored(
        "metadata", description="A JSON object: what was sent with the session and its memories, merged."
    )
    message_count: int = stored("messageCount", description="How many messages it has.")
    token_count: int = stored("tokenCount", description="Tokens of all its messages.")

    @resolved("_id", description="The session's memory as one: its newest summary and messages.")
    async def memory(root: strawberry.Parent[Any], info: Info) -> Memory:
        found = await find_session_memory(
            info.context.backend.database, info.context.scope, root["_id"], Selection.of(info).reads()
        )
        return found  # type: ignore[return-value]
