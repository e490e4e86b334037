"""Queries for entities by their id, and for the progress of enrichment."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import as_source, resolved
from graph.execution.selection import Selection
from graph.execution.size import Size
from graph.operations.enrichment import enrichment_progress, failed_messages
from graph.operations.validation import DEFAULT_PAGE, MAX_PAGE
from graph.schema.context import Info
from graph.schema.enrichment.types import EnrichmentProgress
from graph.schema.entities.types import Entity
from graph.schema.lookup import LOOKUPS
from graph.schema.messages.types import Message
from graph.schema.node import parse_global_id


@strawberry.type
class EnrichmentQueries:
    """Queries for data computed from messages."""

    @strawberry.field(description="An entity with the sessions and messages that mention it. Null if unknown.")
    async def entity(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],  # noqa: A002
    ) -> Entity | None:
        parsed = parse_global_id(id)
        if parsed is None or parsed[0] != "Entity":
            return None
        found = await LOOKUPS["Entity"](info.context, parsed[1], Selection.of(info).reads())
        return as_source(found)

    @strawberry.field(description="The progress of entity extraction in all sessions. FORBIDDEN for end users.")
    async def enrichment(self, info: Info) -> EnrichmentProgress:
        found = await enrichment_progress(info.context.backend, info.context.scope)
        return as_source(found)

    @resolved(
        size=Size(MAX_PAGE, DEFAULT_PAGE, ("first",)),
        description="The messages of all sessions whose extraction of entities failed, oldest first, for"
        " `retryEnrichment`. FORBIDDEN for end users.",
    )
    async def failed_messages(
        self,
        info: Info,
        first: Annotated[
            int | None, strawberry.argument(description="Return the first N messages, 0 to 1,000; 20 by default.")
        ] = None,
    ) -> list[Message]:
        context = info.context
        return as_source(await failed_messages(context.backend, context.scope, Selection.of(info).reads(), first))
