"""Notices of the users who write in a session."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from graph.execution.fields import stored
from graph.operations import streaming
from graph.schema.context import Info
from graph.schema.node import DocumentType
from graph.schema.rights import mutation


@strawberry.type(description="A notice that an end user or a backend writes in a session, or no longer writes.")
class TypingNotice(DocumentType):
    """The source is made by `graph.live.typing_notices`."""

    user_id: strawberry.ID | None = stored("userId", description="The end user who writes; null for a service key.")
    name: str | None = stored("name", description="The name that was sent.")
    typing: bool = stored("typing", description="False once the writer has stopped.")
    expires_at: datetime = stored(
        "expiresAt", description="When the notice is no longer true, unless another one of the same writer comes."
    )


@strawberry.input(description="A notice that you write in a session.")
class SetTypingInput:
    """The argument of `setTyping`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session.")
    typing: bool = strawberry.field(default=True, description="False once the writer has stopped.")
    name: str | None = strawberry.field(default=None, description="The name of the writer, at most 256 bytes.")


@strawberry.type(description="The result of `setTyping`.")
class SetTypingPayload:
    """Whether the notice goes out."""

    accepted: bool = strawberry.field(
        description="Whether subscribers get the notice: false within a second of your last one in the session."
    )


@strawberry.type
class TypingMutations:
    """The mutation on notices."""

    @mutation(
        description="Tell the subscribers of `typing` that you write in a session, or no longer do. The notice is true"
        " for 6 seconds: repeat it every 3 seconds while you write. It changes neither the session nor its revision."
        " An end user has one notice in a session, a service key one for each name. NOT_FOUND for an unknown session."
    )
    async def set_typing(
        self,
        info: Info,
        input: Annotated[SetTypingInput, strawberry.argument(description="The notice.")],  # noqa: A002
    ) -> SetTypingPayload:
        context = info.context
        accepted = await streaming.note_typing(
            context.backend, context.scope, input.session_id, input.name, typing=input.typing
        )
        return SetTypingPayload(accepted=accepted)
