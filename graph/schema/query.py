"""The root of every query, put together from the domains."""

from __future__ import annotations

import strawberry

from graph.schema.queries.memory import MemoryQueries


@strawberry.type(description="What can be read. Unknown things are null.")
class Query(MemoryQueries):
    """Each domain's queries; add a domain as a further base."""
