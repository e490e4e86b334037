"""Mutations on enrichment."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.operations.enrichment import retry_enrichment
from graph.schema.context import Info


@strawberry.type(description="What `retryEnrichment` did.")
class RetryEnrichmentPayload:
    """How many messages were begun again."""

    retried: int = strawberry.field(description="How many failed messages wait for their entities again.")


@strawberry.type
class EnrichmentMutations:
    """Mutations on enrichment."""

    @strawberry.mutation(
        description="Extract the entities of failed messages again. Give `sessionId` or `uuid`, one of both."
        " NOT_FOUND when there is no such session or message."
    )
    async def retry_enrichment(
        self,
        info: Info,
        session_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="All failed messages of this session.")
        ] = None,
        uuid: Annotated[strawberry.ID | None, strawberry.argument(description="This message, if it failed.")] = None,
    ) -> RetryEnrichmentPayload:
        context = info.context
        retried = await retry_enrichment(context.backend, context.scope, session_id=session_id, uuid=uuid)
        return RetryEnrichmentPayload(retried=retried)
