"""Mutations on the newest messages of a session."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from graph.errors import StoredButUnfinished, Unavailable
from graph.execution.fields import as_source
from graph.execution.inputs import compiled_input
from graph.execution.selection import Selection
from graph.execution.size import Size
from graph.operations import newest
from graph.operations.answered import Answered, AnsweredList
from graph.operations.validation import MAX_MESSAGES
from graph.schema.context import Info
from graph.schema.memory.mutations import MessageInput, answered_by, to_add
from graph.schema.memory.types import Memory
from graph.schema.node import global_id
from graph.schema.rights import mutation
from graph.schema.scalars import EXPECTED_UUID, JSON, UUID
from graph.schema.sessions.types import Session
from graph.store.documents import MessageDocument
from graph.store.expectations import ExpectedSession

_EXPECTED = (
    "The `Session.revision` that you read. CONFLICT if the session changed since, with the current one in"
    " `extensions.revision`."
)


@strawberry.input(description="The session whose newest message is to be deleted.")
class PopMessageInput:
    """The argument of `popMessage`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session.")
    expected_revision: int | None = strawberry.field(
        default=None, description=f"{_EXPECTED} It makes a retry safe: without it, each call deletes a message."
    )
    expected_uuid: UUID | None = strawberry.field(default=None, description=EXPECTED_UUID)


@strawberry.type(description="A deleted message, with its last content.")
class PoppedMessage:
    """The deleted message."""

    id: strawberry.ID = strawberry.field(description="Its global id, for removal from a client's cache.")
    uuid: UUID = strawberry.field(description="Its UUID.")
    seq: int = strawberry.field(description="Its place in the session; never used again.")
    created_at: datetime = strawberry.field(description="Its time.")
    role: str = strawberry.field(description="The role of its speaker.")
    name: str | None = strawberry.field(description="The name of its speaker.")
    tool_call_id: str | None = strawberry.field(description="The tool call that the message answered.")
    content: str = strawberry.field(description="Its text.")
    parts: list[JSON] = strawberry.field(description="Its content in the form of model APIs.")
    metadata: JSON = strawberry.field(description="Its metadata.")
    token_count: int = strawberry.field(description="Its number of tokens.")


@strawberry.type(description="The result of `popMessage`.")
class PopMessagePayload:
    """The deleted message, with the global id for Relay's `@deleteRecord`."""

    deleted_id: strawberry.ID | None = strawberry.field(
        description="Global id of the message, for `@deleteRecord`; null if the session had no message."
    )
    popped_message: PoppedMessage | None = strawberry.field(
        description="The message that was deleted; null if the session had no message."
    )
    session: Session = strawberry.field(description="The session after the deletion.")


@compiled_input
@strawberry.input(description="Messages that replace the newest ones of a session.")
class ReplaceFromInput:
    """The argument of `replaceFrom`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session.")
    seq: int = strawberry.field(
        description="At least 1. Each message on the path to `head` with this `seq` or a greater one is deleted, at"
        " most 1,000; a `seq` above the newest message's deletes no message."
    )
    messages: list[MessageInput] = strawberry.field(
        description="1 to 1,000 messages, in order. Their `seq` follows the greatest one that the session ever had. A"
        " UUID of a message that the session has is refused (CONFLICT)."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="A retry with the same key changes nothing and returns the result of the first call. With another"
        " payload the key is refused (CONFLICT). The UUIDs of all messages have the same effect.",
    )
    expected_revision: int | None = strawberry.field(
        default=None, description=f"{_EXPECTED} A retry with the same idempotencyKey is no conflict."
    )
    expected_uuid: UUID | None = strawberry.field(default=None, description=EXPECTED_UUID)


@strawberry.type(description="The result of `replaceFrom`.")
class ReplaceFromPayload:
    """The source's `memory` and `session` are documents."""

    deleted_ids: list[strawberry.ID] = strawberry.field(
        description="Global ids of the deleted messages, oldest first, for `@deleteRecord`; empty for a retry."
    )
    memory: Memory = strawberry.field(description="The memory with the messages of this call.")
    session: Session = strawberry.field(description="The session of the messages.")
    replayed: bool = strawberry.field(
        description="Whether the same call had been executed before, so that nothing changed."
    )


def _answered_by(info: Info) -> Answered:
    """Return the parts of the deleted message that the answer will hold."""
    selected = Selection.of(info).each("poppedMessage")
    names = ("content", "metadata", "parts")
    return Answered(tuple(AnsweredList.of([name for name in names if popped.selects(name)]) for popped, _ in selected))


def _popped(message: MessageDocument) -> PoppedMessage:
    return PoppedMessage(
        id=global_id("Message", message["_id"]),
        uuid=UUID(message["_id"]),
        seq=message["seq"],
        created_at=message["createdAt"],
        role=message["role"],
        name=message.get("name"),
        tool_call_id=message.get("toolCallId"),
        content=message["content"],
        parts=[JSON(part) for part in message.get("parts", [])],
        metadata=JSON(message["metadata"]),
        token_count=message["tokenCount"],
    )


@strawberry.type
class NewestMessageMutations:
    """Mutations on the newest messages of a session."""

    @mutation(
        description="Delete the newest message on the path to the `head` of a session, as `deleteMessage` does, and"
        " return it. Of two simultaneous calls, each deletes another message. NOT_FOUND for an unknown session."
        " FORBIDDEN to end users where the role of the newest message is not one of theirs."
    )
    async def pop_message(
        self,
        info: Info,
        input: Annotated[PopMessageInput, strawberry.argument(description="The session.")],  # noqa: A002
    ) -> PopMessagePayload:
        context = info.context
        popped = await newest.pop_message(
            context.backend,
            context.scope,
            input.session_id,
            expected=ExpectedSession(input.expected_revision, input.expected_uuid),
            answered=_answered_by(info),
        )
        session = Selection.of(info).below("session")
        try:
            found = await context.session(input.session_id, session.reads()) if session else None
        except Unavailable as error:
            message = "the message is deleted, but its session can't be read at the moment: do not repeat the mutation"
            raise StoredButUnfinished(message) from error
        gone = None if popped is None else _popped(popped)
        return PopMessagePayload(
            deleted_id=None if gone is None else gone.id, popped_message=gone, session=as_source(found)
        )

    @mutation(
        description="Delete the messages on the path to the `head` of a session from a `seq` on, as `deleteMessage`"
        " does, and add others, as `addMemory` does, in one transaction: both happen or neither. NOT_FOUND for an"
        " unknown session; BAD_USER_INPUT where more than 1,000 messages would be deleted. FORBIDDEN to end users where"
        " the role of a deleted or a new message is not one of theirs.",
        sizes_below={"memory.messages": Size(MAX_MESSAGES, MAX_MESSAGES, ("input.messages",))},
    )
    async def replace_from(
        self,
        info: Info,
        input: Annotated[ReplaceFromInput, strawberry.argument(description="The messages.")],  # noqa: A002
    ) -> ReplaceFromPayload:
        context = info.context
        session = Selection.of(info).below("session")
        added = await newest.replace_from(
            context.backend,
            context.scope,
            input.session_id,
            input.seq,
            [to_add(item) for item in input.messages],
            idempotency_key=input.idempotency_key,
            expected=ExpectedSession(input.expected_revision, input.expected_uuid),
            session_fields=session.reads() if session else (),
            answered=answered_by(info),
        )
        return ReplaceFromPayload(
            deleted_ids=[global_id("Message", message["_id"]) for message in added.removed],
            memory=as_source(added.memory),
            session=as_source(added.session),
            replayed=added.replayed,
        )
