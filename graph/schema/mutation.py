"""The root of every mutation, put together from the domains."""

from __future__ import annotations

import strawberry

from graph.schema.mutations.memory import MemoryMutations


@strawberry.type(description="What can be changed. A refused change changes nothing.")
class Mutation(MemoryMutations):
    """Each domain's mutations; add a domain as a further base."""
