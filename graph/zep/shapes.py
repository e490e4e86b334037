"""MongoDB documents as Zep's clients read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from graph.store.documents import Document, MessageDocument, SessionDocument, SummaryDocument, UserDocument

MESSAGE = {"_id", "role", "content", "metadata", "tokenCount", "entities", "createdAt", "updatedAt"}
"""The fields that `message_of` reads."""

_SYSTEM = "system"


def time_of(time: datetime) -> str:
    """RFC 3339, in UTC, which a time without a zone is in."""
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def own_metadata(value: object) -> Any:
    """Metadata as a caller may write it: the top-level key `system` is the server's. Other values stay unchanged."""
    if not isinstance(value, dict) or _SYSTEM not in value:
        return value
    own = dict(value)
    del own[_SYSTEM]
    return own


def session_of(session: SessionDocument) -> Document:
    """A Session."""
    return {
        "uuid": session["uuid"],
        "id": session.get("number"),
        "created_at": time_of(session["createdAt"]),
        "updated_at": time_of(session["updatedAt"]),
        "deleted_at": None,
        "session_id": session["_id"],
        "metadata": own_metadata(session["metadata"]) or None,
        "user_id": session.get("userId"),
    }


def user_of(user: UserDocument) -> Document:
    """A User."""
    return {
        "uuid": user["uuid"],
        "id": user.get("number"),
        "created_at": time_of(user["createdAt"]),
        "updated_at": time_of(user["updatedAt"]),
        "deleted_at": None,
        "user_id": user["_id"],
        "email": user.get("email"),
        "first_name": user.get("firstName"),
        "last_name": user.get("lastName"),
        "metadata": own_metadata(user["metadata"]) or None,
    }


def message_of(message: MessageDocument) -> Document:
    """A Message, with its entities under `metadata.system`."""
    shaped: Document = {
        "uuid": message["_id"],
        "created_at": time_of(message["createdAt"]),
        "updated_at": time_of(message["updatedAt"]),
        "role": message["role"],
        "content": message["content"],
        "token_count": message["tokenCount"],
    }
    if metadata := metadata_of(message):
        shaped["metadata"] = metadata
    return shaped


def metadata_of(message: MessageDocument) -> Document:
    """A message's metadata with the entities in its content, which are not stored there."""
    metadata: Document = own_metadata(message["metadata"])
    if entities := [entity for entity in message["entities"] if entity["matches"]]:
        metadata = dict(metadata)
        metadata[_SYSTEM] = {
            "entities": [
                {
                    "Name": entity["name"],
                    "Label": entity["label"],
                    "Matches": [
                        {"Start": match["start"], "End": match["end"], "Text": match["text"]}
                        for match in entity["matches"]
                    ],
                }
                for entity in entities
            ]
        }
    return metadata


def summary_of(summary: SummaryDocument) -> Document:
    """A Summary."""
    return {
        "uuid": summary["_id"],
        "created_at": time_of(summary["createdAt"]),
        "content": summary["content"],
        "recent_message_uuid": summary["lastMessageUuid"],
        "token_count": summary["tokenCount"],
    }
