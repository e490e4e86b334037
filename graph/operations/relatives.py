"""The parents and the siblings of messages."""

from __future__ import annotations

from collections.abc import Sequence

from graph.operations.backend import Backend
from graph.store.tree import relatives as store
from graph.store.tree.relatives import MESSAGE_FIELDS, SESSION_FIELDS, Asked

__all__ = ["MESSAGE_FIELDS", "SESSION_FIELDS", "Asked", "parent_uuids", "sibling_uuids"]


async def parent_uuids(backend: Backend, asked: Sequence[Asked]) -> dict[str, str]:
    """Return the uuid of the parent of each message that has one, by the message's uuid."""
    return {uuid: parent["_id"] for uuid, parent in (await store.parents(backend.database, asked)).items()}


async def sibling_uuids(backend: Backend, asked: Sequence[Asked]) -> dict[str, list[str]]:
    """Return the uuids of the messages with the same parent, by the uuid of each message, which is among them."""
    return await store.siblings(backend.database, asked)
