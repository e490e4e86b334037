"""Adding to a session's memory."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from graph.errors import StoredNevertheless, Unavailable
from graph.execution.fields import as_source
from graph.execution.inputs import compiled_input
from graph.execution.selection import Selection
from graph.execution.size import SIZES_BELOW, Size
from graph.operations.deletion import delete_memory
from graph.operations.memory import NOTHING_ANSWERED, Answered, MessageToAdd, add_memory
from graph.operations.validation import MAX_MESSAGES
from graph.schema.context import Info
from graph.schema.memory.types import Memory
from graph.schema.node import global_id
from graph.schema.scalars import JSON, UUID
from graph.schema.sessions.types import Session


@compiled_input
@strawberry.input(description="A message to add.")
class MessageInput:
    """One item of `AddMemoryInput.messages`."""

    uuid: UUID | None = strawberry.field(
        default=None,
        description="Your own UUID for it. One that the session knows already updates that message in place. The one"
        " that an end user chooses counts among that user's messages alone: the message's `uuid` is made of it, and the"
        " user may give either one.",
    )
    role: str = strawberry.field(
        description="Who says it, at most 256 bytes: human, ai, user, assistant, tool, … End users may send the"
        " roles that the service is set up for alone, user and human by default."
    )
    content: str = strawberry.field(description="The text, at most 1 MiB, kept byte for byte.")
    metadata: JSON | None = strawberry.field(default=None, description="Any JSON object, at most 256 KiB.")
    name: str | None = strawberry.field(
        default=None, description="The speaker, where the role does not say who it is; at most 256 bytes."
    )
    tool_call_id: str | None = strawberry.field(
        default=None, description="The tool call that the message answers, at most 512 bytes."
    )
    created_at: datetime | None = strawberry.field(
        default=None,
        description="When it was said, kept in milliseconds: a moment that has passed. Without it, and for what a clock"
        " that is ahead takes for now, the time of arrival. Messages stay in the order of their arrival, `seq`,"
        " whatever their times are. A message that is known keeps its own.",
    )


@compiled_input
@strawberry.input(description="Messages to add to a session.")
class AddMemoryInput:
    """The argument of `addMemory`."""

    session_id: strawberry.ID = strawberry.field(
        description="Your own id of the session, at most 512 bytes. An unknown one makes the session."
    )
    messages: list[MessageInput] = strawberry.field(description="1 to 1,000 messages, in order.")
    metadata: JSON | None = strawberry.field(
        default=None, description="Any JSON object: kept with the memory, and merged into the session's metadata."
    )
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="Your own id of the user whom the session belongs to. It can't change later."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="A retry with the same key changes nothing and returns what the first call did. With another"
        " payload the key is refused (CONFLICT).",
    )
    await_entities: bool | None = strawberry.field(
        default=False,
        description="Wait for the entities, some seconds at most; look at `enrichment` to see if they came.",
    )


@strawberry.type(description="What `addMemory` did.")
class AddMemoryPayload:
    """The source is an `_AddMemoryResult`."""

    memory: Memory = strawberry.field(description="The memory with the messages of this call.")
    session: Session = strawberry.field(description="The session that they were added to.")
    replayed: bool = strawberry.field(
        description="True when the same had been added before, and nothing changed, neither a message nor the session."
    )


@strawberry.input(description="The session whose memory is to be deleted.")
class DeleteMemoryInput:
    """The argument of `deleteMemory`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session.")


@strawberry.type(description="The result of `deleteMemory`.")
class DeleteMemoryPayload:
    """The identity of the deleted memory, and the session that stays."""

    deleted_id: strawberry.ID = strawberry.field(description="Global id of the session's memory, for `@deleteRecord`.")
    session: Session = strawberry.field(description="The session, which stays, without messages.")


def _to_add(item: MessageInput) -> MessageToAdd:
    return MessageToAdd(
        item.role, item.content, item.metadata, item.uuid, item.created_at, item.name, item.tool_call_id
    )


def _answered(info: Info) -> Answered:
    """What the answer will hold of new messages."""
    memory = Selection.of(info).below("memory")
    selected = memory and memory.sole("messages")
    if not selected:
        return NOTHING_ANSWERED
    below, arguments = selected
    reads = below.reads()
    return Answered("content" in reads, "metadata" in reads, arguments.get("last"))


@strawberry.type
class MemoryMutations:
    """Mutations on memories."""

    @strawberry.mutation(
        description="Add messages to a session, which is made if it is new. All are stored, or none.",
        metadata={SIZES_BELOW: {"memory.messages": Size(MAX_MESSAGES, MAX_MESSAGES, ("input.messages",))}},
    )
    async def add_memory(
        self,
        info: Info,
        input: Annotated[AddMemoryInput, strawberry.argument(description="What to add.")],  # noqa: A002
    ) -> AddMemoryPayload:
        context = info.context
        session = Selection.of(info).below("session")
        added = await add_memory(
            context.backend,
            context.scope,
            input.session_id,
            [_to_add(item) for item in input.messages],
            metadata=input.metadata,
            user_id=input.user_id,
            idempotency_key=input.idempotency_key,
            await_entities=bool(input.await_entities),
            session_fields=session.reads() if session else (),
            answered=_answered(info),
        )
        return AddMemoryPayload(
            memory=as_source(added.memory), session=as_source(added.session), replayed=added.replayed
        )

    @strawberry.mutation(
        description="Delete all messages, memories, entities and summaries of a session. The session stays, with its"
        " metadata; later messages get later numbers. NOT_FOUND for an unknown session."
    )
    async def delete_memory(
        self,
        info: Info,
        input: Annotated[DeleteMemoryInput, strawberry.argument(description="The memory to delete.")],  # noqa: A002
    ) -> DeleteMemoryPayload:
        context = info.context
        await delete_memory(context.backend, context.scope, input.session_id)
        session = Selection.of(info).below("session")
        try:
            found = await context.session(input.session_id, session.reads()) if session else None
        except Unavailable as error:
            message = "the memory is deleted, and its session can't be read at the moment: there is nothing to repeat"
            raise StoredNevertheless(message) from error
        deleted_id = global_id("Memory", f"s:{input.session_id}")
        return DeleteMemoryPayload(deleted_id=deleted_id, session=as_source(found))
