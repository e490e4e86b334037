"""Mutations on messages that are written piece by piece."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.errors import StoredButUnfinished, Unavailable
from graph.execution.fields import as_source
from graph.execution.inputs import compiled_input
from graph.execution.selection import Selection
from graph.operations import streaming
from graph.schema.context import Info
from graph.schema.messages.types import Message
from graph.schema.rights import mutation
from graph.schema.scalars import JSON, METADATA_PATCH, UUID
from graph.schema.sessions.types import Session
from graph.store.streams.documents import Piece


@strawberry.input(description="A message whose text comes in pieces.")
class StartMessageInput:
    """The argument of `startMessage`."""

    session_id: strawberry.ID = strawberry.field(
        description="Your own id of the session, at most 512 bytes. An unknown session is created."
    )
    uuid: UUID | None = strawberry.field(
        default=None,
        description="Your own UUID for the message. A repeated call with the same UUID, role, name and toolCallId"
        " changes nothing; a UUID in use is refused otherwise (CONFLICT).",
    )
    role: str = strawberry.field(
        description="The role of the speaker, at most 256 bytes. End users may send only the configured roles."
    )
    name: str | None = strawberry.field(default=None, description="The name of the speaker, at most 256 bytes.")
    tool_call_id: str | None = strawberry.field(
        default=None, description="The tool call that the message answers, at most 512 bytes."
    )
    metadata: JSON | None = strawberry.field(default=None, description="Any JSON object, at most 256 KiB.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="Your own id of the user that the session belongs to."
    )
    parent_uuid: UUID | None = strawberry.field(
        default=None,
        description="UUID of the message that this one follows, as in `MessageInput`; by default the session's `head`.",
    )


@strawberry.type(description="The result of `startMessage`.")
class StartMessagePayload:
    """The sources are documents."""

    message: Message = strawberry.field(description="The message, with its `seq`.")
    session: Session = strawberry.field(description="The session of the message.")
    replayed: bool = strawberry.field(description="Whether the message had been started before.")


@compiled_input
@strawberry.input(description="A piece of a message.")
class PieceInput:
    """One item of `AppendMessageInput.pieces`."""

    index: int = strawberry.field(description="Place of the piece in the message: 0, 1, 2, …")
    text: str = strawberry.field(description="The text of the piece, at most 64 KiB.")
    data: str | None = strawberry.field(
        default=None,
        description="A text for readers of `messageStream`, at most 64 KiB: the event of a model API as"
        " JSON, for example. It is no part of the content, and goes with the pieces.",
    )


@compiled_input
@strawberry.input(description="The next pieces of a message.")
class AppendMessageInput:
    """The argument of `appendMessage`."""

    uuid: UUID = strawberry.field(description="UUID of the message.")
    pieces: list[PieceInput] = strawberry.field(
        description="1 to 1,000 pieces with consecutive indexes. A message has at most 20,000 pieces, with texts and"
        " data of 1 MiB together."
    )


@strawberry.type(description="The result of `appendMessage`.")
class AppendMessagePayload:
    """The state of the stream."""

    uuid: UUID = strawberry.field(description="UUID of the message.")
    next_index: int = strawberry.field(description="The index of the next piece.")


@strawberry.input(description="The end of a message.")
class FinishMessageInput:
    """The argument of `finishMessage`."""

    uuid: UUID = strawberry.field(description="UUID of the message.")
    content: str | None = strawberry.field(
        default=None, description="The text, at most 1 MiB; by default the text of the parts, or else of the pieces."
    )
    parts: list[JSON] | None = strawberry.field(
        default=None, description="The content in the form of model APIs, as `addMemory` takes it."
    )
    metadata: JSON | None = strawberry.field(default=None, description=METADATA_PATCH)


@strawberry.type(description="The result of `finishMessage`.")
class FinishMessagePayload:
    """The source's `message` is the whole document."""

    message: Message = strawberry.field(description="The complete message.")


@strawberry.input(description="The message to abort.")
class AbortMessageInput:
    """The argument of `abortMessage`."""

    uuid: UUID = strawberry.field(description="UUID of the message.")


@strawberry.type(description="The result of `abortMessage`.")
class AbortMessagePayload:
    """The source's `message` is the whole document."""

    message: Message = strawberry.field(description="The message, with the text of its pieces.")


@strawberry.type
class StreamingMutations:
    """Mutations on messages that are written piece by piece."""

    @mutation(
        description="Add a message whose text comes in pieces: it has its `seq`, and an empty content until"
        " `finishMessage`, `abortMessage` or, without a piece for a configured time, its interruption. Only then tokens"
        " are counted, and entities, vectors and summaries made."
    )
    async def start_message(
        self,
        info: Info,
        input: Annotated[StartMessageInput, strawberry.argument(description="The message.")],  # noqa: A002
    ) -> StartMessagePayload:
        context, selection = info.context, Selection.of(info)
        session, message = selection.below("session"), selection.below("message")
        started = await streaming.start_message(
            context.backend,
            context.scope,
            input.session_id,
            input.role,
            uuid=input.uuid,
            name=input.name,
            tool_call_id=input.tool_call_id,
            metadata=input.metadata,
            user_id=input.user_id,
            parent_uuid=input.parent_uuid,
            session_fields=session.reads() if session else (),
        )
        try:
            found = await context.message_meant(started.uuid, message.reads()) if message else None
        except Unavailable as error:
            raise StoredButUnfinished("the message is started, but it can't be read at the moment") from error
        return StartMessagePayload(
            message=as_source(found), session=as_source(started.added.session), replayed=started.added.replayed
        )

    @mutation(
        description="Add the next pieces to a message that was started. A piece that is stored with the same text and"
        " data is ignored. CONFLICT, with `extensions.expectedIndex`, where an earlier piece is missing or a stored one"
        " differs; CONFLICT, with `extensions.status`, where the message has ended. NOT_FOUND for an unknown"
        " message."
    )
    async def append_message(
        self,
        info: Info,
        input: Annotated[AppendMessageInput, strawberry.argument(description="The pieces.")],  # noqa: A002
    ) -> AppendMessagePayload:
        context = info.context
        sent = [Piece(piece.index, piece.text, piece.data) for piece in input.pieces]
        appended = await streaming.append_pieces(context.backend, context.scope, input.uuid, sent)
        return AppendMessagePayload(uuid=UUID(appended.uuid), next_index=appended.next_index)

    @mutation(
        description="End a message that was started: it is COMPLETE, and its pieces are deleted. A repeated call"
        " changes nothing. CONFLICT, with `extensions.status`, where the message has ended otherwise. NOT_FOUND for an"
        " unknown message."
    )
    async def finish_message(
        self,
        info: Info,
        input: Annotated[FinishMessageInput, strawberry.argument(description="The message.")],  # noqa: A002
    ) -> FinishMessagePayload:
        finished = await streaming.finish_message(
            info.context.backend,
            info.context.scope,
            input.uuid,
            content=input.content,
            parts=input.parts,
            metadata=input.metadata,
        )
        return FinishMessagePayload(message=as_source(finished))

    @mutation(
        description="End a message that was started as ABORTED, with the text of its pieces. A repeated call changes"
        " nothing. CONFLICT, with `extensions.status`, where the message has ended otherwise. NOT_FOUND for an unknown"
        " message."
    )
    async def abort_message(
        self,
        info: Info,
        input: Annotated[AbortMessageInput, strawberry.argument(description="The message.")],  # noqa: A002
    ) -> AbortMessagePayload:
        aborted = await streaming.abort_message(info.context.backend, info.context.scope, input.uuid)
        return AbortMessagePayload(message=as_source(aborted))
