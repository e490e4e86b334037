"""The root of every mutation, put together from the domains."""

from __future__ import annotations

import strawberry

from graph.schema.enrichment.mutations import EnrichmentMutations
from graph.schema.memory.mutations import MemoryMutations
from graph.schema.messages.mutations import MessageMutations
from graph.schema.sessions.mutations import SessionMutations
from graph.schema.users.mutations import UserMutations


@strawberry.type(description="What can be changed. A refused change changes nothing.")
class Mutation(MemoryMutations, SessionMutations, MessageMutations, UserMutations, EnrichmentMutations):
    """Each domain's mutations; add a domain as a further base."""
