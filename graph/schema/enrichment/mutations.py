"""Mutations on enrichment."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.access.caller import Right
from graph.operations.enrichment import retry_enrichment
from graph.schema.context import Info
from graph.schema.rights import mutation
from graph.schema.scalars import UUID


@strawberry.input(description="The failed messages to extract entities from again.")
class RetryEnrichmentInput:
    """The argument of `retryEnrichment`."""

    session_id: strawberry.ID | None = strawberry.field(default=None, description="All failed messages of a session.")
    uuid: UUID | None = strawberry.field(default=None, description="One failed message.")


@strawberry.type(description="The result of `retryEnrichment`.")
class RetryEnrichmentPayload:
    """The number of messages that are pending again."""

    retried: int = strawberry.field(description="Number of failed messages that are pending again.")


@strawberry.type
class EnrichmentMutations:
    """Mutations on enrichment."""

    @mutation(
        description="Extract the entities of failed messages again. Send either `sessionId` or `uuid`. NOT_FOUND for"
        " an unknown session or message.",
        right=Right.ADMIN,
    )
    async def retry_enrichment(
        self,
        info: Info,
        input: Annotated[RetryEnrichmentInput, strawberry.argument(description="The messages.")],  # noqa: A002
    ) -> RetryEnrichmentPayload:
        context = info.context
        retried = await retry_enrichment(context.backend, context.scope, session_id=input.session_id, uuid=input.uuid)
        return RetryEnrichmentPayload(retried=retried)
