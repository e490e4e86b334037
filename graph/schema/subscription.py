"""The subscriptions."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import stored
from graph.live.source import SessionUpdateKind, Source, UpdateKind
from graph.operations import following
from graph.schema.context import Info
from graph.schema.enums import described_enum
from graph.schema.messages.types import Message
from graph.schema.node import DocumentType
from graph.schema.relay import Edge
from graph.schema.scalars import UUID
from graph.schema.sessions.types import MESSAGE_CURSORS, Session
from graph.schema.typing_notices import TypingNotice
from graph.store.documents import Document
from graph.store.streams.documents import MessageStatus

described_enum(
    UpdateKind,
    name="MessageUpdateKind",
    description="The kind of a change to a message.",
    values={
        "EDITED": "Its role, content or metadata changed.",
        "DELETED": "The message was deleted.",
        "ENRICHED": "Its enrichment ended, with entities or with a failure.",
        "CLEARED": "All messages of the session up to `seq` were deleted.",
    },
)


@strawberry.type(description="A change of a message.")
class MessageUpdate(DocumentType):
    """The source is made by `graph.live.source.update_of`."""

    kind: UpdateKind = stored("kind", description="EDITED, DELETED, ENRICHED or CLEARED.")
    uuid: UUID | None = stored("uuid", description="UUID of the message; null for CLEARED.")
    seq: int = stored(
        "seq", description="Number of the message in its session; for CLEARED, of the last deleted message."
    )
    revision: int = stored(
        "revision",
        description="The revision of the session up to which you have all edits and deletions with this update:"
        " `sinceRevision` when you come back. Keep the greatest one.",
    )
    message: Message | None = stored("message", description="The current message; null if the message is deleted.")


described_enum(
    SessionUpdateKind,
    name="SessionUpdateKind",
    description="The kind of a change to a session.",
    values={
        "CREATED": "The session is new.",
        "CHANGED": "A message, a summary, its metadata or its user changed.",
        "DELETED": "The session was deleted: remove it from the list.",
    },
)


@strawberry.type(description="A session that is new, changed or deleted.")
class SessionUpdate(DocumentType):
    """The source is made by `graph.live.source.session_update_of`."""

    kind: SessionUpdateKind = stored("kind", description="CREATED, CHANGED or DELETED.")
    session_id: strawberry.ID = stored("sessionId", description="The application's own id of the session.")
    revision: str = stored(
        "revision",
        description="The place of this update among the updates of all sessions: `sinceRevision` when you come back."
        " It has no other meaning.",
    )
    session: Session | None = stored("session", description="The current session; null if the session is deleted.")


@strawberry.type(description="A piece of a message that is being written, or the end of the message.")
class MessagePiece(DocumentType):
    """The source is made by `graph.live.pieces`."""

    index: int | None = stored(
        "index", description="Place of the piece in the message: 0, 1, 2, …; null for the end. `afterIndex` later."
    )
    text: str = stored("text", description="The text of the piece; empty for the end.")
    data: str | None = stored("data", description="The `data` that its writer sent, or null.")
    done: bool = stored("done", description="Whether this is the end: the last event.")
    status: MessageStatus = stored("status", description="STREAMING, or at the end how the message ended.")
    message: Message | None = stored(
        "message",
        description="At the end, the message: its content replaces the pieces that you have. Null for a piece.",
    )


def _edge_of(message: Document) -> Document:
    return {"cursor": MESSAGE_CURSORS.write((message["seq"],)), "node": message}


@strawberry.type(
    description="Streams of events, over a WebSocket (graphql-transport-ws), server-sent events or multipart HTTP."
)
class Subscription:
    """The root of every subscription. A field's resolver returns the source of its events, which `Pipeline` follows."""

    @strawberry.subscription(
        graphql_type=Message,
        description="Every message of a session after `afterSeq`, each once and in order: stored messages, then new"
        " ones. A client that reconnects with the last `seq` it saw misses no message. The session may be created"
        " later; for an end user, a session of another user is as one that does not exist. The subscription completes"
        " when the session is deleted.",
    )
    async def message_added(
        self,
        info: Info,
        session_id: Annotated[
            strawberry.ID, strawberry.argument(description="The application's own id of the session.")
        ],
        after_seq: Annotated[
            int | None,
            strawberry.argument(
                description="`seq` of the last message that you have, or 0 for every message; by default, only new"
                " messages."
            ),
        ] = None,
    ) -> Source:
        context = info.context
        return await following.messages_added(context.backend, context.scope, session_id, after_seq)

    @strawberry.subscription(
        graphql_type=Edge[Message],
        description="As `messageAdded`, each message as an edge of `Session.messages` with its cursor: for Relay's"
        " `@appendEdge`, and for the cached lists of Apollo Client.",
    )
    async def message_edge_added(
        self,
        info: Info,
        session_id: Annotated[
            strawberry.ID, strawberry.argument(description="The application's own id of the session.")
        ],
        after_seq: Annotated[
            int | None,
            strawberry.argument(
                description="`seq` of the last message that you have, or 0 for every message; by default, only new"
                " messages."
            ),
        ] = None,
    ) -> Source:
        context = info.context
        source = await following.messages_added(context.backend, context.scope, session_id, after_seq)
        source.event_of = _edge_of
        return source

    @strawberry.subscription(
        graphql_type=MessageUpdate,
        description="Edits, deletions and finished enrichments of a session's messages after `sinceRevision`: stored"
        " changes, then new ones. A client that reconnects with the greatest `revision` that it got misses no change;"
        " of a message that changed twice meanwhile, it gets the last state. An enrichment, and the changes of one"
        " mutation that changed several messages, may come again.",
    )
    async def message_updated(
        self,
        info: Info,
        session_id: Annotated[
            strawberry.ID, strawberry.argument(description="The application's own id of the session.")
        ],
        since_revision: Annotated[
            int | None,
            strawberry.argument(
                description="The greatest `revision` of the updates that you have, or the `Session.revision` that you"
                " read before the messages; by default, only new changes."
            ),
        ] = None,
    ) -> Source:
        return await following.messages_updated(info.context.backend, info.context.scope, session_id, since_revision)

    @strawberry.subscription(
        graphql_type=MessagePiece,
        description="The pieces of a message that is being written after `afterIndex`, each once and in order: stored"
        " pieces, then new ones, and at last the message. A client that reconnects with the last `index` it saw misses"
        " no piece; after the end of the message, it gets the message at once. The subscription completes then, and"
        " when the message is deleted. NOT_FOUND for an unknown message.",
    )
    async def message_stream(
        self,
        info: Info,
        uuid: Annotated[UUID, strawberry.argument(description="UUID of the message.")],
        after_index: Annotated[
            int | None,
            strawberry.argument(description="`index` of the last piece that you have; by default, every piece comes."),
        ] = None,
    ) -> Source:
        return await following.message_stream(info.context.backend, info.context.scope, uuid, after_index)

    @strawberry.subscription(
        graphql_type=TypingNotice,
        description="Who writes in a session, from `setTyping` of any process, from now on. Notices are not kept: one"
        " that is sent while a client is away is lost. The subscription completes when the session is deleted.",
    )
    async def typing(
        self,
        info: Info,
        session_id: Annotated[
            strawberry.ID, strawberry.argument(description="The application's own id of the session.")
        ],
    ) -> Source:
        return await following.typing_notices(info.context.backend, info.context.scope, session_id)

    @strawberry.subscription(
        graphql_type=SessionUpdate,
        description="Sessions that are new, changed (a message, a summary, metadata) or deleted after"
        " `sinceRevision`: for a list of conversations that stays fresh. Changes that follow each other closely may be"
        " one event. A client that reconnects with the `revision` of its last update misses no change; changes of the"
        " seconds before may come again.",
    )
    async def session_updated(
        self,
        info: Info,
        user_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Only sessions of this user; by default, all that you may see."),
        ] = None,
        since_revision: Annotated[
            str | None,
            strawberry.argument(
                description="The `revision` of the last update that you have, or the greatest `updatedAt` of your list;"
                " by default, only new changes."
            ),
        ] = None,
    ) -> Source:
        return await following.sessions_updated(info.context.backend, info.context.scope, user_id, since_revision)
