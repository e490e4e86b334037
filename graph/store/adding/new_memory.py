"""The documents of a new memory and its messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.adding.tool_pairs import pairs_of
from graph.store.documents import Document, MemoryDocument, MessageDocument, SessionDocument, new_uuid, pending
from graph.store.streams.documents import MessageStatus, StreamDocument
from graph.store.tree.branches import Place

NOT_DUE = datetime(9999, 1, 1, tzinfo=UTC)
"""Of a message that is still being written: its end makes it due."""


def memory_document(
    new: NewMemory, fresh: Sequence[NewMessage], session: SessionDocument, at: datetime
) -> MemoryDocument:
    """Return the document of a memory whose messages are the last ones of the session after the add."""
    last_seq = session["lastSeq"]
    memory: MemoryDocument = {
        "_id": new.uuid,
        "sessionId": new.session_id,
        "firstSeq": last_seq - len(fresh) + 1,
        "lastSeq": last_seq,
        "tokenCount": sum(message.token_count for message in fresh),
        "metadata": new.metadata,
        "createdAt": at,
        "sessionRevision": session["revision"],
    }
    if new.idempotency_key is not None:
        memory["idempotencyKey"] = new.idempotency_key
    if new.digest is not None:
        memory["payloadDigest"] = new.digest
    if new.replaces_from is not None:
        memory["replacesFrom"] = new.replaces_from
    return memory


def fields_of_new_session(new: NewMemory, uuid: str, user_id: str | None, at: datetime) -> Document:
    """Return the fields, besides the counts, of a session that an add creates."""
    fields: Document = {"uuid": uuid, "createdAt": at, "metadata": new.metadata, "summarySeq": 0}
    if user_id is not None:
        fields["userId"] = user_id
    if new.expiry is not None and new.expiry.at is not None:
        fields["expiresAt"] = new.expiry.at
    return fields


def message_documents(
    fresh: Sequence[NewMessage], branches: Sequence[int], memory: MemoryDocument, at: datetime
) -> list[MessageDocument]:
    """Return the documents of the new messages of a memory, each in its branch."""
    placed = enumerate(zip(fresh, branches, strict=True), memory["firstSeq"])
    return [_message_document(message, memory, Place(branch, seq), at) for seq, (message, branch) in placed]


def _message_document(message: NewMessage, memory: MemoryDocument, place: Place, at: datetime) -> MessageDocument:
    """Return the document of a new message."""
    sent: MessageDocument = {
        "_id": message.uuid or new_uuid(),
        "sessionId": memory["sessionId"],
        "memoryId": memory["_id"],
        "seq": place.seq,
        "role": message.role,
        "content": message.content,
        "metadata": message.metadata,
        "tokenCount": message.token_count,
        "entities": [],
        "createdAt": min(message.created_at or at, at),
        "updatedAt": at,
        "enrichment": pending(at),
        "revision": 1,
        "sessionRevision": memory["sessionRevision"],
    }
    document: MessageDocument = {**sent, **message.edit.fields()}
    if place.branch:
        document["branch"] = place.branch
    pairs = pairs_of(message.parts or (), message.tool_call_id)
    if pairs["toolCalls"]:
        document["toolCalls"] = pairs["toolCalls"]
    if pairs["toolResults"]:
        document["toolResults"] = pairs["toolResults"]
    if message.silence_until is not None:
        document["status"] = MessageStatus.STREAMING.value
        document["enrichment"]["dueAt"] = NOT_DUE
    return document


def stream_documents(fresh: Sequence[NewMessage], stored: Sequence[MessageDocument]) -> list[StreamDocument]:
    """Return the documents of the streams of those new messages whose text comes in pieces."""
    return [
        {
            "_id": message["_id"],
            "sessionId": message["sessionId"],
            "memoryId": message["memoryId"],
            "seq": message["seq"],
            "nextIndex": 0,
            "size": 0,
            "dueAt": new.silence_until,
        }
        for new, message in zip(fresh, stored, strict=True)
        if new.silence_until is not None
    ]
