"""Mutations on sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from graph.execution.fields import as_source
from graph.operations import sessions
from graph.schema.context import Info
from graph.schema.node import global_id
from graph.schema.rights import mutation
from graph.schema.scalars import EXPECTED_UUID, JSON, METADATA_PATCH, UUID
from graph.schema.sessions.types import Session
from graph.store.expectations import ExpectedSession
from graph.store.expiry import Expiry


@strawberry.input(description="A session to create.")
class CreateSessionInput:
    """The argument of `createSession`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session, at most 512 bytes.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Your own id of the user that the session belongs to; an unknown user is created. It can't change"
        " later.",
    )
    metadata: JSON | None = strawberry.field(default=None, description="Any JSON object, at most 256 KiB.")
    title: str | None = strawberry.field(default=None, description="Its title, at most 1,024 bytes.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="A time to come: from then on, the session is as deleted."
    )


@strawberry.input(
    description="Changes of a session. An absent field stays unchanged, and so does one that is null, except for"
    " `expiresAt`."
)
class UpdateSessionInput:
    """The argument of `updateSession`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="Assign a session without a user to this user; the user can't change later."
    )
    metadata: JSON | None = strawberry.field(
        default=None,
        description=METADATA_PATCH,
    )
    title: str | None = strawberry.field(
        default=None, description="Its title, at most 1,024 bytes; an empty text brings the default back."
    )
    archived: bool | None = strawberry.field(default=None, description="Whether the session is archived.")
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET,
        description="A time to come: from then on, the session is as deleted. Null removes it; an absent field does not"
        " change it.",
    )
    head: UUID | None = strawberry.field(
        default=None,
        description="UUID of the message that the conversation is to end with: one of the session's messages. The"
        " memory, the context, searches and summaries then follow the path from the first message to it, and the next"
        " message comes after it.",
    )
    expected_revision: int | None = strawberry.field(
        default=None,
        description="The `Session.revision` that you read. CONFLICT if the session changed since, with the current one"
        " in `extensions.revision`.",
    )
    expected_uuid: UUID | None = strawberry.field(default=None, description=EXPECTED_UUID)


@strawberry.type(description="The result of `createSession`.")
class CreateSessionPayload:
    """The source's `session` is the whole document."""

    session: Session = strawberry.field(description="The new session.")


@strawberry.type(description="The result of `updateSession`.")
class UpdateSessionPayload:
    """The source's `session` is the whole document."""

    session: Session = strawberry.field(description="The session after the change.")


@strawberry.input(description="The session to delete.")
class DeleteSessionInput:
    """The argument of `deleteSession`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session.")


@strawberry.type(description="The result of `deleteSession`.")
class DeleteSessionPayload:
    """The identity of the deleted session."""

    deleted_id: strawberry.ID = strawberry.field(description="Global id of the session, for `@deleteRecord`.")
    deleted_session_id: strawberry.ID = strawberry.field(description="Your own id of the session.")


@strawberry.type
class SessionMutations:
    """Mutations on sessions."""

    @mutation(
        description="Create a session without messages; `addMemory` creates one, too. CONFLICT if the id is in use."
    )
    async def create_session(
        self,
        info: Info,
        input: Annotated[CreateSessionInput, strawberry.argument(description="The session to create.")],  # noqa: A002
    ) -> CreateSessionPayload:
        created = await sessions.create_session(
            info.context.backend,
            info.context.scope,
            input.session_id,
            user_id=input.user_id,
            metadata=input.metadata,
            title=input.title,
            expires_at=input.expires_at,
        )
        return CreateSessionPayload(session=as_source(created))

    @mutation(description="Change a session. NOT_FOUND for an unknown session; CONFLICT if it belongs to another user.")
    async def update_session(
        self,
        info: Info,
        input: Annotated[UpdateSessionInput, strawberry.argument(description="The session and its changes.")],  # noqa: A002
    ) -> UpdateSessionPayload:
        updated = await sessions.update_session(
            info.context.backend,
            info.context.scope,
            input.session_id,
            user_id=input.user_id,
            metadata=input.metadata,
            title=input.title,
            archived=input.archived,
            expiry=None if input.expires_at is strawberry.UNSET else Expiry(input.expires_at),
            head=input.head,
            expected=ExpectedSession(input.expected_revision, input.expected_uuid),
        )
        return UpdateSessionPayload(session=as_source(updated))

    @mutation(
        description="Delete a session with all its messages, memories, entities and summaries. Its id can be used"
        " again. A fork that is being made is cancelled. NOT_FOUND for an unknown session."
    )
    async def delete_session(
        self,
        info: Info,
        input: Annotated[DeleteSessionInput, strawberry.argument(description="The session to delete.")],  # noqa: A002
    ) -> DeleteSessionPayload:
        await sessions.delete_session(info.context.backend, info.context.scope, input.session_id)
        return DeleteSessionPayload(
            deleted_id=global_id("Session", input.session_id), deleted_session_id=input.session_id
        )
