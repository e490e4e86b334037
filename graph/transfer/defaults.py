"""The values that a record lacks, which are the same at each import."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import cast

from graph.store.documents import (
    Document,
    EnrichmentState,
    MemoryDocument,
    MessageDocument,
    SummaryDocument,
    UserDocument,
    pending,
)
from graph.store.item_documents import NEVER, ItemDocument
from graph.store.items import path_of

_SPACE = uuid.UUID("6c9a3a1e-52a9-5f0b-9d0c-1f3f6f6d5d3a")  # the namespace of derived uuids, a constant of the format


def derived_uuid(*place: object) -> str:
    """Return the uuid of a record without one, derived from its place in the file."""
    return str(uuid.uuid5(_SPACE, "\0".join(map(str, place))))


def user_of(record: Document, at: datetime) -> UserDocument:
    """Return the document of a user.

    Args:
        record: the record.
        at: the time for a record without one.
    """
    user_id = record.pop("userId")
    values = {name: value for name, value in record.items() if value is not None}
    created = values.get("createdAt", at)
    defaults = {"uuid": derived_uuid("user", user_id), "metadata": {}, "createdAt": created, "updatedAt": created}
    return cast("UserDocument", {"_id": user_id, **(defaults | values)})


def item_of(record: Document, at: datetime) -> ItemDocument:
    """Return the document of an item, of which a search computes the facts that it compares.

    Args:
        record: the record.
        at: the time for a record without one.
    """
    path = path_of(record["namespace"])
    created = record.get("createdAt", at)
    uuid_ = record.pop("uuid", None) or derived_uuid("item", record["userId"], path, record["key"])
    times = {"createdAt": created, "updatedAt": created, "expiresAt": NEVER}
    return cast(
        "ItemDocument", {"_id": uuid_, "path": path, "revision": 1, "texts": [], "layout": 0, **times, **record}
    )


def whole_memory_of(session_id: str, seq: int, created: datetime) -> MemoryDocument:
    """Return the memory of a session without memory records, from its first message on."""
    return {
        "_id": derived_uuid("memory", session_id),
        "sessionId": session_id,
        "firstSeq": seq,
        "lastSeq": seq,
        "tokenCount": 0,
        "metadata": {},
        "createdAt": created,
    }


def message_of(record: Document, memory_id: str, seq: int, at: datetime) -> MessageDocument:
    """Return the document of a message, with a `tokenCount` of 0 if the record has none.

    Args:
        record: the record.
        memory_id: the memory that holds the message.
        seq: its place.
        at: the time for a record without one.
    """
    created = record.get("createdAt", at)
    defaults: MessageDocument = {
        "_id": record.pop("uuid", None) or derived_uuid("message", record["sessionId"], seq),
        "sessionId": record["sessionId"],
        "memoryId": memory_id,
        "seq": seq,
        "role": record["role"],
        "content": record["content"],
        "metadata": {},
        "tokenCount": 0,
        "entities": [],
        "createdAt": created,
        "updatedAt": created,
        "enrichment": pending(at),
    }
    if "entities" in record:
        defaults["enrichment"] = {"state": EnrichmentState.DONE.value, "attempts": 0, "at": at}
    message = cast("MessageDocument", {**defaults, **record})
    if message["enrichment"]["state"] == EnrichmentState.PENDING.value:
        message["enrichment"].setdefault("dueAt", at)  # without it, no worker would ever claim the message
    return message


def summary_of(record: Document, last_message: str | None, at: datetime) -> SummaryDocument:
    """Return the document of a summary; `tokenCount` is missing if the record has none.

    Args:
        record: the record.
        last_message: the uuid of the message at its `lastSeq`; None if the record has `lastMessageUuid`.
        at: the time for a record without one.
    """
    found = {
        "_id": record.pop("uuid", None) or derived_uuid("summary", record["sessionId"], record["lastSeq"]),
        "lastMessageUuid": last_message,
        "source": "EXTRACTIVE",  # the source of a summary without further details
        "entities": [],
        "createdAt": at,
        **record,
    }
    return cast("SummaryDocument", found)
