"""The data export of ChatGPT as records of an import.

An export is a zip archive with `conversations.json`: a list of conversations, each a tree of messages, which becomes a
session with branches. The current message of the conversation is the head of the session. Ids and times come from the
export, so that a second import stores nothing twice.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID, uuid5

import orjson

from graph.errors import BadUserInput, TransferError
from graph.store.tree.branches import MOST_BRANCHES, ROOT, Place, Tree
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
        TransferError: a conversation is not a tree of messages, or has too many branches.
    """
    yield {"format": FORMAT, "version": VERSION}
    if user_id is not None:
        yield {"type": "user", "userId": user_id}
    for place, conversation in enumerate(conversations):
        try:
            yield from _session(conversation, user_id)
        except BadUserInput:
            message = f"conversation {place + 1:,} has more than {MOST_BRANCHES:,} branches, the maximum of a session"
            raise TransferError(message) from None
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise TransferError(
                f"conversation {place + 1:,} is not as ChatGPT exports them ({type(error).__name__}: {error})"
            ) from None


def _session(conversation: Json, user_id: str | None) -> Iterator[Record]:
    """Yield the session of a conversation with its messages; nothing for one without messages."""
    nodes: Mapping[str, Json] = conversation["mapping"]
    session_id = str(conversation.get("conversation_id") or conversation["id"])
    tree, places = Tree.line(0, 0), dict[str, Place]()
    records: list[Record] = []
    for node in _in_order(nodes):
        parent = ROOT if node.parent is None else places[node.parent]
        if node.message is None:
            places[node.id] = parent
            continue
        tree = tree.grow(parent, len(records) + 1)
        places[node.id] = tree.head
        record = _record(node.message, session_id, node.id, node.time)
        records.append({**record, "branch": tree.head.branch} if tree.head.branch else record)
    if not records:
        return
    if (current := conversation.get("current_node")) in places:
        tree = tree.with_head(places[current])
    session = _session_record(conversation, session_id, user_id)
    yield session if tree.is_line else {**session, "branches": list(tree.branches), "head": tree.head._asdict()}
    yield from records


def _in_order(nodes: Mapping[str, Json]) -> list[_Node]:
    """Return the nodes by time, each after its parent.

    Raises:
        ValueError: the nodes form a circle.
    """
    children: dict[str | None, list[str]] = {}
    for node_id, node in nodes.items():
        parent = node.get("parent")
        children.setdefault(parent if parent in nodes else None, []).append(node_id)
    found: list[_Node] = []
    waiting: list[tuple[str, _Node | None]] = [(root, None) for root in reversed(children.get(None, []))]
    while waiting:
        node_id, above = waiting.pop()
        placed = _node(node_id, nodes[node_id], above)
        found.append(placed)
        waiting += [(child, placed) for child in reversed(children.get(node_id, []))]
    if len(found) < len(nodes):
        raise ValueError("the messages form a circle")
    return sorted(found, key=lambda node: node.arrived)  # parents stay before children with the same time


def _node(node_id: str, node: Json, above: _Node | None) -> _Node:
    time = _time(node.get("message") or {})
    if above is None:
        return _Node(node_id, None, _read(node), time, time or 0.0)
    time = above.time if time is None else time
    return _Node(node_id, above.id, _read(node), time, max(above.arrived, time or 0.0))


def _session_record(conversation: Json, session_id: str, user_id: str | None) -> Record:
    metadata = {"chatgpt": {"conversationId": session_id}}
    record: Record = {"type": "session", "sessionId": session_id, "metadata": metadata}
    if title := str(conversation.get("title") or "").replace("\0", "").strip():
        record["title"] = title[:_MAX_TITLE]
    if user_id is not None:
        record["userId"] = user_id
    for name, key in (("createdAt", "create_time"), ("updatedAt", "update_time")):
        if conversation.get(key) is not None:
            record[name] = _written(conversation[key])
    return record


def _record(message: _Message, session_id: str, node_id: str, time: float | None) -> Record:
    author = message.sent["author"]
    record: Record = {
        "type": "message",
        "sessionId": session_id,
        "uuid": _uuid(node_id),
        "role": str(author["role"]),
        "content": message.text,
        "metadata": {"chatgpt": _message_metadata(message.sent)},
    }
    if message.parts:
        record["parts"] = message.parts
    if author.get("name"):
        record["name"] = str(author["name"])
    if time is not None:
        record["createdAt"] = _written(time)
    return record


class _Node(NamedTuple):
    """A node of the tree.

    Attributes:
        parent: the id of the node before; None for a root.
        message: the message; None without contents.
        time: Unix time of the message, or else of the one before; None for an unknown time.
        arrived: the greatest time on the path to the node.
    """

    id: str
    parent: str | None
    message: _Message | None
    time: float | None
    arrived: float


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


def _uuid(node_id: str) -> str:
    try:
        return str(UUID(node_id))
    except ValueError:
        return str(uuid5(_NAMESPACE, f"/{node_id}"))
