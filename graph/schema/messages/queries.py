"""Reading one message."""

from __future__ import annotations

import strawberry

from graph.errors import BadUserInput
from graph.execution.selection import Selection
from graph.operations.validation import check_uuid
from graph.schema.context import Info
from graph.schema.messages.mutations import MessageUuid
from graph.schema.messages.types import Message


@strawberry.type
class MessageQueries:
    """Queries on messages."""

    @strawberry.field(description="A message. Null for an unknown one.")
    async def message(self, info: Info, uuid: MessageUuid) -> Message | None:
        try:
            key = check_uuid(uuid, "uuid")
        except BadUserInput:
            return None  # what is no UUID is the id of no message
        return await info.context.message(key, Selection.of(info).reads())  # type: ignore[return-value]
