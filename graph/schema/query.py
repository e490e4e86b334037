"""The root type of queries, composed of the domains."""

from __future__ import annotations

import strawberry

from graph.schema.deployment.queries import DeploymentQueries
from graph.schema.enrichment.queries import EnrichmentQueries
from graph.schema.items.queries import ItemQueries
from graph.schema.memory.queries import MemoryQueries
from graph.schema.messages.queries import MessageQueries
from graph.schema.nodes import NodeQueries
from graph.schema.prompt_context import ContextQueries
from graph.schema.search import SearchQueries
from graph.schema.sessions.forks import ForkQueries
from graph.schema.sessions.queries import SessionQueries
from graph.schema.users.queries import UserQueries


@strawberry.type(description="All reads. An unknown object is null.")
class Query(
    MemoryQueries,
    SessionQueries,
    ForkQueries,
    MessageQueries,
    UserQueries,
    ItemQueries,
    EnrichmentQueries,
    DeploymentQueries,
    NodeQueries,
    SearchQueries,
    ContextQueries,
):
    """Each domain's queries; add a domain as a further base."""
