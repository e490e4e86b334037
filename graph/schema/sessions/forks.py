"""The mutation that forks a session."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import as_source
from graph.operations import forks
from graph.schema.context import Info
from graph.schema.rights import mutation
from graph.schema.sessions.types import Session


@strawberry.input(description="The session to fork.")
class ForkSessionInput:
    """The argument of `forkSession`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session with the messages.")
    through_seq: int = strawberry.field(
        description="The `seq` of the last message to copy, at least 1 and at most the newest message's. At most"
        " 1,000 messages and 16 MiB are copied."
    )
    new_session_id: strawberry.ID = strawberry.field(description="Your own id of the new session, at most 512 bytes.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="The user of the new session; by default, and at most, the user of the source."
    )


@strawberry.type(description="The result of `forkSession`.")
class ForkSessionPayload:
    """The source's `session` is the whole document."""

    session: Session = strawberry.field(description="The new session.")
    replayed: bool = strawberry.field(
        description="Whether the same fork had been made before, so that nothing changed."
    )


@strawberry.type
class ForkMutations:
    """Mutations that fork."""

    @mutation(
        description="Create a session with copies of the messages of another one up to a `seq`, in one transaction. The"
        " copies have new UUIDs, and the `seq` 1, 2, 3, …; they keep their times, contents, metadata and entities."
        " Title, metadata and expiry of the session are copied; its summaries and vectors are made again. Sent again,"
        " it changes nothing. NOT_FOUND for an unknown session; CONFLICT if the new id is in use."
    )
    async def fork_session(
        self,
        info: Info,
        input: Annotated[ForkSessionInput, strawberry.argument(description="The session and its fork.")],  # noqa: A002
    ) -> ForkSessionPayload:
        forked = await forks.fork_session(
            info.context.backend,
            info.context.scope,
            input.session_id,
            input.through_seq,
            input.new_session_id,
            user_id=input.user_id,
        )
        return ForkSessionPayload(session=as_source(forked.session), replayed=forked.replayed)
