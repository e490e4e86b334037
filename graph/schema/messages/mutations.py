"""Mutations on messages."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import as_source
from graph.operations import messages
from graph.schema.context import Info
from graph.schema.messages.types import Message
from graph.schema.node import global_id
from graph.schema.rights import mutation
from graph.schema.scalars import JSON, METADATA_PATCH, UUID


@strawberry.input(description="Changes of a message. A field that is absent or null stays unchanged.")
class UpdateMessageInput:
    """The argument of `updateMessage`."""

    uuid: UUID = strawberry.field(description="UUID of the message.")
    role: str | None = strawberry.field(default=None, description="The role of the speaker, at most 256 bytes.")
    content: str | None = strawberry.field(
        default=None,
        description="The text, at most 1 MiB. Entities are extracted from a new text again; until then the message has"
        " no entities.",
    )
    parts: list[JSON] | None = strawberry.field(
        default=None,
        description="The parts, which replace all that there are; without content, the content becomes their text. An"
        " empty list takes them away. A message with parts gets another role or content with parts alone.",
    )
    metadata: JSON | None = strawberry.field(
        default=None,
        description=METADATA_PATCH,
    )
    name: str | None = strawberry.field(default=None, description="The speaker, at most 256 bytes.")
    tool_call_id: str | None = strawberry.field(
        default=None, description="The tool call that the message answers, at most 512 bytes."
    )


@strawberry.type(description="The result of `updateMessage`.")
class UpdateMessagePayload:
    """The source's `message` is the whole document."""

    message: Message = strawberry.field(description="The message after the change.")


@strawberry.input(description="The message to delete.")
class DeleteMessageInput:
    """The argument of `deleteMessage`."""

    uuid: UUID = strawberry.field(description="UUID of the message.")


@strawberry.type(description="A message that no longer exists.")
class DeletedMessage:
    """The identity of the deleted message."""

    id: strawberry.ID = strawberry.field(description="Its global id, for removal from a client's cache.")
    uuid: UUID = strawberry.field(description="Its UUID.")
    seq: int = strawberry.field(description="Its place in the session; never used again.")


@strawberry.type(description="The result of `deleteMessage`.")
class DeleteMessagePayload:
    """The identity of the deleted message, with the global id for Relay's `@deleteRecord`."""

    deleted_id: strawberry.ID = strawberry.field(description="Global id of the message, for `@deleteRecord`.")
    deleted_message: DeletedMessage = strawberry.field(description="The message that was deleted.")


@strawberry.type
class MessageMutations:
    """Mutations on messages."""

    @mutation(
        description="Change a message. Its tokens are counted again, and summaries that cover it become stale."
        " NOT_FOUND for an unknown message. FORBIDDEN to end users where its role is not one of theirs."
    )
    async def update_message(
        self,
        info: Info,
        input: Annotated[UpdateMessageInput, strawberry.argument(description="The message and its changes.")],  # noqa: A002
    ) -> UpdateMessagePayload:
        updated = await messages.update_message(
            info.context.backend,
            info.context.scope,
            input.uuid,
            role=input.role,
            content=input.content,
            parts=input.parts,
            metadata=input.metadata,
            name=input.name,
            tool_call_id=input.tool_call_id,
        )
        return UpdateMessagePayload(message=as_source(updated))

    @mutation(
        description="Delete a message. Its `seq` is never used again. Summaries that cover it are deleted, and"
        " written again without it. NOT_FOUND for an unknown message. FORBIDDEN to end users where its role is not"
        " one of theirs."
    )
    async def delete_message(
        self,
        info: Info,
        input: Annotated[DeleteMessageInput, strawberry.argument(description="The message to delete.")],  # noqa: A002
    ) -> DeleteMessagePayload:
        deleted = await messages.delete_message(info.context.backend, info.context.scope, input.uuid)
        deleted_id = global_id("Message", deleted["_id"])
        message = DeletedMessage(id=deleted_id, uuid=UUID(deleted["_id"]), seq=deleted["seq"])
        return DeleteMessagePayload(deleted_id=deleted_id, deleted_message=message)
