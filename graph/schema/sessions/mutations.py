"""Mutations on sessions."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.operations import deletion, sessions
from graph.schema.context import Info
from graph.schema.deletion import DeletePayload
from graph.schema.memory.queries import SessionId
from graph.schema.node import global_id
from graph.schema.scalars import JSON
from graph.schema.sessions.types import Session


@strawberry.input(description="A session to make.")
class CreateSessionInput:
    """The argument of `createSession`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session, at most 512 bytes.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Your own id of the user whom it belongs to; made where it is new. It can't change later.",
    )
    metadata: JSON | None = strawberry.field(default=None, description="Any JSON object, at most 256 KiB.")


@strawberry.input(description="What to change of a session. What is left out or null stays as it is.")
class UpdateSessionInput:
    """The argument of `updateSession`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="Gives a session that belongs to nobody to this user, once."
    )
    metadata: JSON | None = strawberry.field(
        default=None,
        description="A JSON object that is merged in: objects merge deeply, everything else overwrites, and a null"
        " inside removes its key.",
    )


@strawberry.type(description="What became of a session.")
class SessionPayload:
    """The source's `session` is the whole document."""

    session: Session = strawberry.field(description="The session as it is now.")


@strawberry.type
class SessionMutations:
    """Mutations on sessions."""

    @strawberry.mutation(
        description="Make a session without messages (addMemory makes one too). CONFLICT when the id is taken."
    )
    async def create_session(
        self,
        info: Info,
        input: Annotated[CreateSessionInput, strawberry.argument(description="The session.")],  # noqa: A002
    ) -> SessionPayload:
        created = await sessions.create_session(
            info.context.backend,
            info.context.scope,
            input.session_id,
            user_id=input.user_id,
            metadata=input.metadata,
        )
        return SessionPayload(session=created)  # type: ignore[arg-type]

    @strawberry.mutation(
        description="Change a session. NOT_FOUND when there is none; CONFLICT when it belongs to another user."
    )
    async def update_session(
        self,
        info: Info,
        input: Annotated[UpdateSessionInput, strawberry.argument(description="What to change.")],  # noqa: A002
    ) -> SessionPayload:
        updated = await sessions.update_session(
            info.context.backend,
            info.context.scope,
            input.session_id,
            user_id=input.user_id,
            metadata=input.metadata,
        )
        return SessionPayload(session=updated)  # type: ignore[arg-type]

    @strawberry.mutation(
        description="Delete a session with all its messages, memories, entities and summaries. Its id can be used anew."
    )
    async def delete_session(self, info: Info, session_id: SessionId) -> DeletePayload:
        await sessions.delete_session(info.context.backend, info.context.scope, session_id)
        return DeletePayload(deleted=True, deleted_id=global_id("Session", session_id))

    @strawberry.mutation(
        description="Delete all messages, memories, entities and summaries of a session. The session stays, with its"
        " metadata; later messages get later numbers."
    )
    async def delete_memory(self, info: Info, session_id: SessionId) -> DeletePayload:
        await deletion.delete_memory(info.context.backend, info.context.scope, session_id)
        return DeletePayload(deleted=True, deleted_id=global_id("Memory", f"s:{session_id}"))
