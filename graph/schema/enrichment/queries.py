"""Queries for entities by their id, and for the progress of enrichment."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import as_source
from graph.execution.selection import Selection
from graph.operations.enrichment import enrichment_progress
from graph.schema.context import Info
from graph.schema.enrichment.types import EnrichmentProgress
from graph.schema.entities.types import Entity
from graph.schema.lookup import LOOKUPS
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
