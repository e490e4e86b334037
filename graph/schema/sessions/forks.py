"""The mutation that forks a session, and the progress of a large fork."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import as_source, stored
from graph.operations import forks
from graph.schema.context import Info
from graph.schema.enums import described_enum
from graph.schema.node import DocumentType
from graph.schema.rights import mutation
from graph.schema.sessions.types import Session
from graph.store.forking.forks import ForkState

described_enum(
    ForkState,
    description="Whether a fork exists.",
    values={
        "MAKING": "Its messages are being copied; the session is invisible.",
        "DONE": "The session exists.",
        "FAILED": "It can't be made, see `reason`.",
    },
)


@strawberry.type(description="The making of a session by `forkSession`.")
class Fork(DocumentType):
    """The source is the `fork` of a `Forked`."""

    new_session_id: strawberry.ID = stored("newSessionId", description="Your own id of the new session.")
    session_id: strawberry.ID = stored("sessionId", description="Your own id of the session with the messages.")
    through_seq: int = stored("throughSeq", description="The `seq` up to which messages are copied.")
    state: ForkState = stored("state", description="Whether the session exists.")
    progress: float = stored("progress", description="The share of the messages that are copied, 0 to 1.")
    reason: str | None = stored("reason", description="Why it failed; kept for a day.")


@strawberry.input(description="The session to fork.")
class ForkSessionInput:
    """The argument of `forkSession`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session with the messages.")
    through_seq: int = strawberry.field(
        description="The `seq` of the last message to copy, at least 1 and at most the newest message's. At most"
        " 200,000 messages of 1 GiB together are copied."
    )
    new_session_id: strawberry.ID = strawberry.field(description="Your own id of the new session, at most 512 bytes.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="The user of the new session; by default, and at most, the user of the source."
    )


@strawberry.type(description="The result of `forkSession`.")
class ForkSessionPayload:
    """The source's `session` is the whole document."""

    session: Session | None = strawberry.field(description="The new session; null while it is being made.")
    fork: Fork = strawberry.field(description="Whether the session exists yet.")
    replayed: bool = strawberry.field(
        description="Whether the same fork had been made or begun before, so that nothing changed."
    )


@strawberry.type
class ForkQueries:
    """Queries on forks."""

    @strawberry.field(description="The making of a fork. Null for an unknown session, and for one that is no fork.")
    async def fork(
        self,
        info: Info,
        new_session_id: Annotated[strawberry.ID, strawberry.argument(description="Your own id of the new session.")],
    ) -> Fork | None:
        return as_source(await forks.find_fork(info.context.backend, info.context.scope, new_session_id))


@strawberry.type
class ForkMutations:
    """Mutations that fork."""

    @mutation(
        description="Create a session with copies of the messages of another one up to a `seq`. Up to 1,000 messages"
        " and 16 MiB, the session exists on return. A larger one is made by a job: `session` is null, `fork` is"
        " MAKING, the query `fork` has the progress, and the session appears whole, with a CREATED of"
        " `sessionUpdated`. The copies have new UUIDs, and the `seq` 1, 2, 3, …; they keep their times, contents,"
        " metadata and entities. Title, metadata and expiry of the session are copied; its summaries are"
        " made again. Sent again, it changes nothing. Each copied message costs 1 of the caller's"
        " budget. NOT_FOUND for an unknown session; CONFLICT if the new id is in"
        " use, and for other writes to it while the session is being made."
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
            charge=info.context.charge,
            user_id=input.user_id,
        )
        return ForkSessionPayload(
            session=as_source(forked.session), fork=as_source(forked.fork), replayed=forked.replayed
        )
