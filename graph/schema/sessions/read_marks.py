"""The mutation that notes how far a session was read."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import as_source
from graph.operations import overviews
from graph.schema.context import Info
from graph.schema.rights import mutation
from graph.schema.sessions.types import Session


@strawberry.input(description="The messages of a session that were read.")
class MarkReadInput:
    """The argument of `markRead`."""

    session_id: strawberry.ID = strawberry.field(description="Your own id of the session.")
    seq: int = strawberry.field(
        description="The `seq` of the last message that was read, at least 1 and at most the newest message's. A"
        " smaller one than `Session.readSeq` changes nothing."
    )


@strawberry.type(description="The result of `markRead`.")
class MarkReadPayload:
    """The source's `session` is the whole document."""

    session: Session = strawberry.field(description="The session, with its new `readSeq`.")


@strawberry.type
class ReadMarkMutations:
    """Mutations on the numbers up to which sessions were read."""

    @mutation(
        description="Note that the user of a session has read its messages up to a `seq`. A service key does so for the"
        " user of the session. Neither `revision` nor `updatedAt` changes; `sessionUpdated` reports it. NOT_FOUND for"
        " an unknown session."
    )
    async def mark_read(
        self,
        info: Info,
        input: Annotated[MarkReadInput, strawberry.argument(description="The session and the number.")],  # noqa: A002
    ) -> MarkReadPayload:
        context = info.context
        marked = await overviews.mark_read(context.backend, context.scope, input.session_id, input.seq)
        return MarkReadPayload(session=as_source(marked))
