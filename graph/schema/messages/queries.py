"""Reading one message."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import as_source
from graph.execution.selection import Selection
from graph.schema.context import Info
from graph.schema.messages.types import Message
from graph.schema.scalars import UUID


@strawberry.type
class MessageQueries:
    """Queries on messages."""

    @strawberry.field(description="A message. Null for an unknown message.")
    async def message(
        self, info: Info, uuid: Annotated[UUID, strawberry.argument(description="UUID of the message.")]
    ) -> Message | None:
        return as_source(await info.context.message_meant(uuid, Selection.of(info).reads()))
