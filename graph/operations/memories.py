"""Reads of persisted memories, one for each `addMemory`."""

from __future__ import annotations

from collections.abc import Collection

from graph.operations.backend import Backend
from graph.operations.validation import check_last
from graph.store import memories as store
from graph.store.documents import Document, MemoryDocument, MessageDocument
from graph.store.messages import messages_in_range
from graph.store.reading.keyset import Listing
from graph.store.scope import Scope
from graph.store.visible import Visible


async def find_memories(
    backend: Backend, scope: Scope, uuids: Collection[str], fields: Collection[str]
) -> list[MemoryDocument]:
    """Return the persisted memories in the caller's scope, in no order, with `fields` and `_id`."""
    return await store.find_memories(backend.database, scope, uuids, fields)


def as_memory(document: MemoryDocument) -> Document:
    """Return a persisted memory with its `_id` as `uuid`, as in lists of memories."""
    return store.as_memory(document)


def list_memories(backend: Backend, visible: Visible) -> Listing:
    """Return the visible persisted memories of a session, oldest first."""
    return store.list_memories(backend.database, visible)


async def messages_of_memory(
    backend: Backend, memory: Document, fields: Collection[str], *, last: int | None = None
) -> list[MessageDocument]:
    """Return the messages of a persisted memory, or its last `last` messages, oldest first.

    Args:
        backend: the open parts of this process.
        memory: a memory in the caller's scope, with `lastSeq` and the paths that `Visible.of_memory` reads.
        fields: the paths to read of each message.
        last: the maximum number, from the end.

    Raises:
        BadUserInput: `last` is out of range.
    """
    visible = Visible.of_memory(memory)
    return await messages_in_range(backend.database, visible, fields, last_seq=memory["lastSeq"], last=check_last(last))
