"""The root of every mutation, put together from the domains."""

from __future__ import annotations

import strawberry

from graph.schema.mutations.enrichment import EnrichmentMutations
from graph.schema.mutations.memory import MemoryMutations
from graph.schema.mutations.messages import MessageMutations
from graph.schema.mutations.sessions import SessionMutations
from graph.schema.mutations.users import UserMutations


@strawberry.type(description="What can be changed. A refused change changes nothing.")
class Mutation(MemoryMutations, SessionMutations, MessageMutations, UserMutations, EnrichmentMutations):
    """Each domain's mutations; add a domain as a further base."""
