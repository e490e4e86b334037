"""Mutations on messages."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.operations import messages
from graph.schema.context import Info
from graph.schema.deletion import DeletePayload
from graph.schema.messages.types import Message
from graph.schema.node import global_id
from graph.schema.scalars import JSON

MessageUuid = Annotated[strawberry.ID, strawberry.argument(description="The message's UUID.")]


@strawberry.input(description="What to change of a message. What is left out or null stays as it is.")
class UpdateMessageInput:
    """The argument of `updateMessage`."""

    uuid: strawberry.ID = strawberry.field(description="The message's UUID.")
    role: str | None = strawberry.field(default=None, description="Who says it, at most 256 bytes.")
    content: str | None = strawberry.field(
        default=None,
        description="The text, at most 1 MiB. A new one is read for entities again: until then there are none.",
    )
    metadata: JSON | None = strawberry.field(
        default=None,
        description="A JSON object that is merged in: objects merge deeply, everything else overwrites, and a null"
        " inside removes its key.",
    )


@strawberry.type(description="What became of a message.")
class MessagePayload:
    """The source's `message` is the whole document."""

    message: Message = strawberry.field(description="The message as it is now.")


@strawberry.type
class MessageMutations:
    """Mutations on messages."""

    @strawberry.mutation(
        description="Change a message. Its tokens are counted again, and summaries that cover it are marked stale."
        " NOT_FOUND when there is none."
    )
    async def update_message(
        self,
        info: Info,
        input: Annotated[UpdateMessageInput, strawberry.argument(description="What to change.")],  # noqa: A002
    ) -> MessagePayload:
        updated = await messages.update_message(
            info.context.backend,
            info.context.scope,
            input.uuid,
            role=input.role,
            content=input.content,
            metadata=input.metadata,
        )
        return MessagePayload(message=updated)  # type: ignore[arg-type]

    @strawberry.mutation(
        description="Delete a message. Its `seq` is never used again. Summaries that took it in are removed, and"
        " written again without it. NOT_FOUND when there is none."
    )
    async def delete_message(self, info: Info, uuid: MessageUuid) -> DeletePayload:
        deleted = await messages.delete_message(info.context.backend, info.context.scope, uuid)
        return DeletePayload(deleted=True, deleted_id=global_id("Message", deleted))
