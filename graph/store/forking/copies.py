"""Copies of messages and their memories for another session: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from graph.store.documents import (
    EnrichmentDocument,
    EnrichmentState,
    MemoryDocument,
    MessageDocument,
    new_uuid,
    pending,
)
from graph.store.streams.documents import MessageStatus
from graph.store.streams.reading import is_streaming


@dataclass(slots=True)
class Copier:
    """Copies whole messages of one session, oldest first, for another one, in portions.

    Attributes:
        session_id: the session of the copies.
        at: the time of the copies; messages and memories keep their times of creation.
        count: the number of copied messages.
        tokens: their tokens.
    """

    session_id: str
    at: datetime
    count: int = 0
    tokens: int = 0
    _open: tuple[str, MemoryDocument] | None = None

    def copy(
        self, messages: Sequence[MessageDocument], memories: Iterable[MemoryDocument]
    ) -> tuple[list[MemoryDocument], list[MessageDocument]]:
        """Return the copies of the next messages, with the numbers from 1 on, and of the memories that end before them.

        Args:
            messages: the next messages.
            memories: their whole memories.
        """
        of_old = {memory["_id"]: memory for memory in memories}
        ended: list[MemoryDocument] = []
        copied: list[MessageDocument] = []
        for old in messages:
            self.count += 1
            self.tokens += old["tokenCount"]
            if self._open is None or self._open[0] != old["memoryId"]:
                ended += self.rest()
                self._open = old["memoryId"], _memory(of_old[old["memoryId"]], self.session_id, self.count)
            memory = self._open[1]
            memory["lastSeq"] = self.count
            memory["tokenCount"] += old["tokenCount"]
            copied.append(_message(old, memory, self.count, self.at))
        return ended, copied

    def rest(self) -> list[MemoryDocument]:
        """Return the memory of the last copied message, if a message was copied since the last call."""
        last, self._open = self._open, None
        return [] if last is None else [last[1]]


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
