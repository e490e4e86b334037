"""The root of every query, put together from the domains."""

from __future__ import annotations

import strawberry

from graph.schema.queries.enrichment import EnrichmentQueries
from graph.schema.queries.memory import MemoryQueries
from graph.schema.queries.messages import MessageQueries
from graph.schema.queries.nodes import NodeQueries
from graph.schema.queries.sessions import SessionQueries
from graph.schema.queries.users import UserQueries


@strawberry.type(description="What can be read. Unknown things are null.")
class Query(MemoryQueries, SessionQueries, MessageQueries, UserQueries, EnrichmentQueries, NodeQueries):
    """Each domain's queries; add a domain as a further base."""
