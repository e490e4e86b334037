"""Mutations of a session's memory."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from graph.errors import StoredButUnfinished, Unavailable
from graph.execution.fields import as_source
from graph.execution.inputs import compiled_input
from graph.execution.selection import Selection
from graph.execution.size import Size
from graph.operations.answered import Answered, AnsweredList
from graph.operations.deletion import delete_memory
from graph.operations.memory import MessageToAdd, add_memory
from graph.operations.validation import MAX_MESSAGES
from graph.schema.context import Info
from graph.schema.memory.types import Memory
from graph.schema.node import global_id
from graph.schema.rights import mutation
from graph.schema.scalars import EXPECTED_UUID, JSON, UUID
from graph.schema.sessions.types import Session
from graph.store.expectations import ExpectedSession
from graph.store.expiry import Expiry


@compiled_input
@strawberry.input(description="A message to add.")
class MessageInput:
    """One item of `AddMemoryInput.messages`."""

    uuid: UUID | None = strawberry.field(
        default=None,
        description="Your own UUID for the message. A UUID of a stored message updates that message in place. A UUID"
        " that an end user chooses identifies one of that user's messages alone: the message's `uuid` is derived from"
        " it, and the user may give either one.",
    )
    role: str = strawberry.field(
        description="The role of the speaker, at most 256 bytes: human, ai, user, assistant, tool, … End users may"
        " send only the configured roles, by default user and human."
    )
    content: str | None = strawberry.field(
        default=None,
        description="The text, at most 1 MiB, stored unchanged. Required without parts; by default the text of the"
        " parts of type `text`, `input_text` or `output_text`, joined by line breaks.",
    )
    metadata: JSON | None = strawberry.field(default=None, description="Any JSON object, at most 256 KiB.")
    name: str | None = strawberry.field(
        default=None, description="The name of the speaker, in addition to the role; at most 256 bytes."
    )
    tool_call_id: str | None = strawberry.field(
        default=None, description="The tool call that the message answers, at most 512 bytes."
    )
    parts: list[JSON] | None = strawberry.field(
        default=None,
        description="The content in the form of model APIs: JSON objects with a `type` (`text`, `tool-call`, `image`,"
        " …), stored unchanged; at most 1,000 parts, 131,072 values and 1 MiB.",
    )
    created_at: datetime | None = strawberry.field(
        default=None,
        description="The time of the message, not in the future, stored in milliseconds. By default, and for a time up"
        " to a minute ahead, the time of arrival. Messages stay in the order of their arrival, `seq`, independent of"
        " their times. A stored message keeps its time.",
    )
    parent_uuid: UUID | None = strawberry.field(
        default=None,
        description="UUID of the message that this one follows: any message of the session, or one before in this call."
        " By default the message before in this call, and for the first one the session's `head`. The nil UUID, of"
        " zeros alone, stands for the beginning of the session. A message that follows another one than the last of its"
        " branch begins a branch; a session has at most 1,000 branches. The last message of the call becomes the"
        " `head`. A stored message keeps its place.",
    )


@compiled_input
@strawberry.input(description="Messages to add to a session.")
class AddMemoryInput:
    """The argument of `addMemory`."""

    session_id: strawberry.ID = strawberry.field(
        description="Your own id of the session, at most 512 bytes. An unknown session is created."
    )
    messages: list[MessageInput] = strawberry.field(description="1 to 1,000 messages, in order.")
    metadata: JSON | None = strawberry.field(
        default=None, description="Any JSON object, stored with the memory and merged into the session's metadata."
    )
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="Your own id of the user that the session belongs to. The user can't change later."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="A retry with the same key changes nothing and returns the result of the first call. With another"
        " payload the key is refused (CONFLICT).",
    )
    expected_revision: int | None = strawberry.field(
        default=None,
        description="The `Session.revision` that you read, 0 for a new session. CONFLICT if the session changed since,"
        " with the current one in `extensions.revision`. A retry with the same idempotencyKey is no conflict.",
    )
    expected_uuid: UUID | None = strawberry.field(default=None, description=EXPECTED_UUID)
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET,
        description="A time to come: from then on the session is as deleted, and workers erase it. null removes the"
        " expiry; without the field, the session keeps the one that it has.",
    )
    await_entities: bool | None = strawberry.field(
        default=False,
        description="Wait for the entities, at most some seconds; `enrichment` has their state afterwards.",
    )


@strawberry.type(description="The result of `addMemory`.")
class AddMemoryPayload:
    """The source is an `_AddMemoryResult`."""

    memory: Memory = strawberry.field(description="The memory with the messages of this call.")
    session: Session = strawberry.field(description="The session of the messages.")
    replayed: bool = strawberry.field(
        description="Whether the same memory had been added before, so that neither a message nor the session changed."
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


def to_add(item: MessageInput) -> MessageToAdd:
    """Return a message as operations take it."""
    return MessageToAdd(
        item.role,
        item.content,
        item.metadata,
        item.uuid,
        item.created_at,
        item.name,
        item.tool_call_id,
        item.parts,
        item.parent_uuid,
    )


def answered_by(info: Info) -> Answered:
    """Return the parts of messages that the answer will hold."""
    memories = [memory for memory, _ in Selection.of(info).each("memory")]
    selected = [listed for memory in memories for listed in memory.each("messages")]
    return Answered(tuple(AnsweredList.of(below.reads(), arguments.get("last")) for below, arguments in selected))


@strawberry.type
class MemoryMutations:
    """Mutations on memories."""

    @mutation(
        description="Add messages to a session, which is created if it is new. Either all messages are stored or no"
        " message is.",
        sizes_below={"memory.messages": Size(MAX_MESSAGES, MAX_MESSAGES, ("input.messages",), names_stored=True)},
    )
    async def add_memory(
        self,
        info: Info,
        input: Annotated[AddMemoryInput, strawberry.argument(description="The messages to add.")],  # noqa: A002
    ) -> AddMemoryPayload:
        context = info.context
        session = Selection.of(info).below("session")
        added = await add_memory(
            context.backend,
            context.scope,
            input.session_id,
            [to_add(item) for item in input.messages],
            metadata=input.metadata,
            user_id=input.user_id,
            idempotency_key=input.idempotency_key,
            await_entities=bool(input.await_entities),
            session_fields=session.reads() if session else (),
            answered=answered_by(info),
            expected=ExpectedSession(input.expected_revision, input.expected_uuid),
            expiry=None if input.expires_at is strawberry.UNSET else Expiry(input.expires_at),
        )
        return AddMemoryPayload(
            memory=as_source(added.memory), session=as_source(added.session), replayed=added.replayed
        )

    @mutation(
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
            message = "the memory is deleted, but its session can't be read at the moment: do not repeat the mutation"
            raise StoredButUnfinished(message) from error
        deleted_id = global_id("Memory", f"s:{input.session_id}")
        return DeleteMemoryPayload(deleted_id=deleted_id, session=as_source(found))
