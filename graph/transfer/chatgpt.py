"""The data export of ChatGPT as records of an import.

An export is a zip archive with `conversations.json`: a list of conversations, each a tree of messages. The path to the
current message becomes a session, and each other path to a leaf a session of its own, whose id ends in `/fork-N`. Ids
and times come from the export, so that a second import stores nothing twice.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID, uuid5

import orjson

from graph.errors import TransferError
from graph.transfer.records import FORMAT, VERSION

Record: TypeAlias = dict[str, Any]
Json: TypeAlias = Mapping[str, Any]

_MAX_TITLE = 250
"""Maximum characters of a title, which fit into the maximum bytes."""
_FILE = "conversations.json"
_NAMESPACE = UUID("f5bd5a6e-53a5-4d53-9d0a-2f2a6d3b7c11")
"""The namespace of UUIDs that are made from ids of an export."""


def read_conversations(path: Path) -> list[Json]:
    """Read the conversations of an export: of the zip archive, or of its `conversations.json`.

    Raises:
        TransferError: the file is not an export.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                text = archive.read(_FILE)
        else:
            text = path.read_bytes()
        found = orjson.loads(text)
    except (orjson.JSONDecodeError, KeyError, zipfile.BadZipFile) as error:
        raise TransferError(f"{path} is no export of ChatGPT ({error}): give the zip archive, or its {_FILE}") from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise TransferError(f"{path} is no export of ChatGPT: {_FILE} is a JSON array of conversations")
    return found


def records_of(conversations: list[Json], user_id: str | None) -> Iterator[Record]:
    """Yield the records of an import.

    Args:
        conversations: the conversations of an export.
        user_id: the user to whom the sessions belong.

    Raises:
        TransferError: a conversation is not a tree of messages.
    """
    yield {"format": FORMAT, "version": VERSION}
    if user_id is not None:
        yield {"type": "user", "userId": user_id}
    for place, conversation in enumerate(conversations):
        try:
            yield from _sessions(conversation, user_id)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise TransferError(
                f"conversation {place + 1:,} is not as ChatGPT exports them ({type(error).__name__}: {error})"
            ) from None


def _sessions(conversation: Json, user_id: str | None) -> Iterator[Record]:
    nodes: Mapping[str, Json] = conversation["mapping"]
    conversation_id = str(conversation.get("conversation_id") or conversation["id"])
    leaves = [node_id for node_id, node in nodes.items() if not node.get("children")]
    current = conversation.get("current_node")
    if current not in nodes:
        current = max(leaves, key=lambda leaf: _time(nodes[leaf].get("message") or {}) or 0.0, default=None)
    messages = {node_id: message for node_id, node in nodes.items() if (message := _read(node)) is not None}
    paths = [_path(nodes, leaf) for leaf in [current, *leaves] if leaf is not None]
    taken: set[tuple[str, ...]] = set()
    for path in paths:
        said = tuple(node_id for node_id in path if node_id in messages)
        # A path that another one continues, or that differs only in messages without contents, is no fork.
        if not said or any(said == other[: len(said)] for other in taken):
            continue
        fork = len(taken)
        taken.add(said)
        session_id = f"{conversation_id}/fork-{fork}" if fork else conversation_id
        yield _session(conversation, conversation_id, session_id, user_id)
        yield from _records(messages, said, session_id, is_fork=bool(fork))


def _path(nodes: Mapping[str, Json], leaf: str) -> list[str]:
    """Return the ids from the root to a leaf.

    Raises:
        ValueError: the nodes form a circle.
    """
    path = [leaf]
    seen = {leaf}
    while (parent := nodes[path[-1]].get("parent")) is not None and parent in nodes:
        if parent in seen:
            raise ValueError("the messages form a circle")
        seen.add(parent)
        path.append(parent)
    return path[::-1]


def _session(conversation: Json, conversation_id: str, session_id: str, user_id: str | None) -> Record:
    metadata: Record = {"conversationId": conversation_id}
    if session_id != conversation_id:
        metadata["forkOf"] = conversation_id
    record: Record = {"type": "session", "sessionId": session_id, "metadata": {"chatgpt": metadata}}
    if title := str(conversation.get("title") or "").replace("\0", "").strip():
        record["title"] = title[:_MAX_TITLE]
    if user_id is not None:
        record["userId"] = user_id
    for name, key in (("createdAt", "create_time"), ("updatedAt", "update_time")):
        if conversation.get(key) is not None:
            record[name] = _written(conversation[key])
    return record


def _records(
    messages: Mapping[str, _Message], path: tuple[str, ...], session_id: str, *, is_fork: bool
) -> Iterator[Record]:
    latest: float | None = None
    for node_id in path:
        message = messages[node_id]
        latest = _time(message.sent) or latest
        author = message.sent["author"]
        record: Record = {
            "type": "message",
            "sessionId": session_id,
            "uuid": _uuid(session_id if is_fork else "", node_id),
            "role": str(author["role"]),
            "content": message.text,
            "metadata": {"chatgpt": _message_metadata(message.sent)},
        }
        if message.parts:
            record["parts"] = message.parts
        if author.get("name"):
            record["name"] = str(author["name"])
        if latest is not None:
            record["createdAt"] = _written(latest)
        yield record


class _Message(NamedTuple):
    """A message of an export, with its contents."""

    sent: Json
    text: str
    parts: list[Record]


def _read(node: Json) -> _Message | None:
    """Return the message of a node; None for one without contents."""
    message: Json | None = node.get("message")
    if message is None or not message.get("content"):
        return None
    text, parts = _content(message["content"])
    return _Message(message, text, parts) if text.strip() or parts else None


def _content(content: Json) -> tuple[str, list[Record]]:
    """Return the text of a message, and its parts if it has others than texts."""
    items = content.get("parts")
    if not isinstance(items, list):
        return str(content.get("text") or content.get("result") or ""), []
    texts = [item for item in items if isinstance(item, str) and item]
    others = [item for item in items if isinstance(item, dict)]
    if not others:
        return "\n".join(texts), []
    parts: list[Record] = [
        {"type": "text", "text": item} if isinstance(item, str) else {**item, "type": _kind(item)}
        for item in items
        if item and isinstance(item, (str, dict))
    ]
    return "\n".join(texts), parts


def _kind(item: Json) -> str:
    kind = str(item.get("content_type") or "file")
    return "image" if kind.startswith("image") else kind


def _message_metadata(message: Json) -> Record:
    metadata: Record = {"messageId": message["id"], "contentType": message["content"].get("content_type")}
    if model := (message.get("metadata") or {}).get("model_slug"):
        metadata["model"] = model
    return metadata


def _time(message: Json) -> float | None:
    time = message.get("create_time")
    return None if time is None else float(time)


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).isoformat(timespec="milliseconds")


def _uuid(session_id: str, node_id: str) -> str:
    if not session_id:
        try:
            return str(UUID(node_id))
        except ValueError:
            pass
    return str(uuid5(_NAMESPACE, f"{session_id}/{node_id}"))
