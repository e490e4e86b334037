"""Copies of messages and their memories for another session: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from graph.store.documents import (
    EnrichmentDocument,
    EnrichmentState,
    MemoryDocument,
    MessageDocument,
    new_uuid,
    pending,
)
from graph.store.stream_documents import MessageStatus
from graph.store.streams import is_streaming


def copy_contents(
    messages: Sequence[MessageDocument], memories: Iterable[MemoryDocument], session_id: str, at: datetime
) -> tuple[list[MemoryDocument], list[MessageDocument]]:
    """Return copies of the memories that hold messages, and of the messages, which get the numbers from 1 on.

    Args:
        messages: whole messages of one session, oldest first.
        memories: their whole memories.
        session_id: the session of the copies.
        at: the time of the copies; messages and memories keep their times of creation.
    """
    of_old = {memory["_id"]: memory for memory in memories}
    new: dict[str, MemoryDocument] = {}
    copied: list[MessageDocument] = []
    for seq, old in enumerate(messages, 1):
        memory_id = old["memoryId"]
        if memory_id not in new:
            new[memory_id] = _memory(of_old[memory_id], session_id, seq)
        new[memory_id]["lastSeq"] = seq
        new[memory_id]["tokenCount"] += old["tokenCount"]
        copied.append(_message(old, new[memory_id], seq, at))
    return list(new.values()), copied


def _memory(old: MemoryDocument, session_id: str, seq: int) -> MemoryDocument:
    return {
        "_id": new_uuid(),
        "sessionId": session_id,
        "firstSeq": seq,
        "lastSeq": seq,
        "tokenCount": 0,
        "metadata": old["metadata"],
        "createdAt": old["createdAt"],
        "sessionRevision": 1,
    }


def _message(old: MessageDocument, memory: MemoryDocument, seq: int, at: datetime) -> MessageDocument:
    copied: MessageDocument = {
        **old,
        "_id": new_uuid(),
        "sessionId": memory["sessionId"],
        "memoryId": memory["_id"],
        "seq": seq,
        "updatedAt": at,
        "enrichment": _enrichment(old["enrichment"], at),
        "revision": 1,
        "sessionRevision": 1,
    }
    if is_streaming(old):
        copied["status"] = MessageStatus.INTERRUPTED.value  # its pieces stay with the message
    copied.pop("editedAt", None)
    copied.pop("partOfMany", None)
    copied.pop("branch", None)  # the copies form one line
    return copied


def _enrichment(old: EnrichmentDocument, at: datetime) -> EnrichmentDocument:
    """Return the same result, or a message that waits for its entities."""
    if old["state"] == EnrichmentState.PENDING.value:
        return pending(at)
    return {**old, "at": at}
