"""Changes of a message, by an edit or by an add with the same uuid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from graph.errors import BadUserInput, NotFound
from graph.store import summaries
from graph.store.adding.tool_pairs import is_of_tool, pairs_of
from graph.store.database import Database
from graph.store.documents import (
    EnrichmentState,
    EntityDocument,
    JSONObject,
    MessageChanges,
    MessageDocument,
    SessionDocument,
    now,
    pending,
)
from graph.store.driver.types import Transaction
from graph.store.editing.merge import merged_metadata
from graph.store.editing.removal import count_removed, remove_messages
from graph.store.editing.stamps import Stamp, stamp_of
from graph.store.entities import mentions
from graph.store.messages import find_meant
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.streams.documents import MessageStatus
from graph.store.streams.reading import forget_streams, is_streaming
from graph.store.vectors import await_vectors, forget_vectors
from graph.store.visible import Visible
from graph.store.writes import next_revision, write_session

_PENDING = EnrichmentState.PENDING.value


@dataclass(frozen=True, slots=True)
class Edit:
    """The changes of a message: None keeps a value; metadata is merged (RFC 7396).

    Attributes:
        part_tokens: tokens of the parts, without the tokens of the content.
    """

    role: str | None = None
    content: str | None = None
    metadata: JSONObject | None = None
    name: str | None = None
    tool_call_id: str | None = None
    parts: list[JSONObject] | None = None
    part_tokens: int = 0

    def text(self, old: MessageDocument) -> tuple[str, str]:
        """Role and content afterwards."""
        return (
            old["role"] if self.role is None else self.role,
            old["content"] if self.content is None else self.content,
        )

    def changes(self, old: MessageDocument) -> bool:
        """Whether the message differs afterwards."""
        return (
            self.recounts(old)
            or merged_metadata(old["metadata"], self.metadata) is not old["metadata"]
            or any(old.get(name) != value for name, value in self.fields().items() if name != "parts")
        )

    def recounts(self, old: MessageDocument) -> bool:
        """Return whether the tokens of the message must be counted again.

        Raises:
            BadUserInput: the text would differ from the text in the parts.
        """
        if self.text(old) != (old["role"], old["content"]):
            if self.parts is None and old.get("parts"):
                message = (
                    f"message {old['_id']} has parts, which hold its text: send parts with its new role or content"
                )
                raise BadUserInput(message)
            return True
        # As JSON: to Python 1, 1.0 and true are equal.
        return self.parts is not None and orjson.dumps(self.parts) != orjson.dumps(old.get("parts", []))

    def fields(self) -> MessageChanges:
        """Return the changes besides role, content and metadata."""
        fields: MessageChanges = {}
        if self.name is not None:
            fields["name"] = self.name
        if self.tool_call_id is not None:
            fields["toolCallId"] = self.tool_call_id
        if self.parts is not None:
            fields["parts"] = self.parts
        return fields


async def apply_edit(
    database: Database,
    session: SessionDocument,
    old: MessageDocument,
    edit: Edit,
    *,
    token_count: int,
    stamp: Stamp,
    at: datetime,
    tx: Transaction,
) -> MessageDocument:
    """Within a transaction, change a message and its dependent documents; the caller updates the session's counts.

    Args:
        database: the open database.
        session: the message's session, read with `Visible.HEAD_FIELDS`.
        old: the whole stored message.
        edit: what to change.
        token_count: tokens of role and content afterwards.
        stamp: of the change.
        at: the time of the change.
        tx: the transaction.

    Returns:
        The whole message after the edit.
    """
    role, content = edit.text(old)
    changes_tools = edit.parts is not None and _tools_in(old) != _tools_in({**old, **edit.fields()})
    changes: MessageChanges = {
        "role": role,
        "tokenCount": token_count,
        "metadata": merged_metadata(old["metadata"], edit.metadata),
        "updatedAt": max(at, old["updatedAt"]),
        "editedAt": at,
        "revision": next_revision(old),
        **stamp,
        **edit.fields(),
    }
    if content != old["content"]:
        changes["content"], changes["entities"], changes["enrichment"] = content, [], pending(at)
        if is_streaming(old):
            changes["status"] = MessageStatus.COMPLETE.value
            await forget_streams(database, [old], tx)
    elif changes_tools:
        changes["entities"] = _of_content(old["entities"])
        if database.entity_tools and not is_streaming(old):
            changes["enrichment"] = pending(at)
    if edit.parts is not None or edit.tool_call_id is not None:
        said: MessageDocument = {**old, **changes}
        changes = {**changes, **pairs_of(said.get("parts", ()), said.get("toolCallId"))}
    new: MessageDocument = {**old, **changes}
    await database.messages.update_one({"_id": old["_id"]}, {"$set": changes}, session=tx)
    if token_count != old["tokenCount"]:
        await database.memories.update_one(
            {"_id": old["memoryId"]}, {"$inc": {"tokenCount": token_count - old["tokenCount"]}}, session=tx
        )
    if content != old["content"] or changes_tools:
        await forget_vectors(database, [old["_id"]], tx)
        if new["enrichment"]["state"] != _PENDING:
            await await_vectors(database, [new], tx)
        await mentions.replace_mentions(database, old, new, tx)
    if (role, content) != (old["role"], old["content"]):
        await summaries.mark_stale(database, session, old, tx)
    return new


def _tools_in(message: MessageDocument) -> list[bytes]:
    """Return the parts of tools, which searches and the extraction of entities may read, as JSON."""
    return [orjson.dumps(part) for part in message.get("parts", ()) if is_of_tool(part)]


def _of_content(entities: Sequence[EntityDocument]) -> list[EntityDocument]:
    """Return the entities in the content, without their mentions in tools."""
    return [
        {"key": one["key"], "name": one["name"], "label": one["label"], "matches": one["matches"]}
        for one in entities
        if one["matches"]
    ]


async def edit_message(
    database: Database, scope: Scope, uuid: str, edit: Edit, count: Callable[[str, str], Awaitable[int]]
) -> MessageDocument:
    """Change a message, in one transaction with its session's counts.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        uuid: the message.
        edit: what to change.
        count: tokens of a role and content, without parts.

    Raises:
        Forbidden: the caller does not write messages of its role.
        NotFound: the message is not within the scope.
    """

    async def attempt(tx: Transaction) -> MessageDocument:
        old, session = await message_with_session(database, scope, uuid, tx)
        scope.refuse_role(old["role"], "the role of the message")
        if not edit.changes(old):
            return old
        tokens = await count(*edit.text(old)) + edit.part_tokens if edit.recounts(old) else old["tokenCount"]
        at = now()
        new = await apply_edit(
            database, session, old, edit, token_count=tokens, stamp=stamp_of(next_revision(session), 1), at=at, tx=tx
        )
        await database.sessions.update_one(
            {"_id": old["sessionId"]},
            {"$inc": {"tokenCount": tokens - old["tokenCount"], "revision": 1}, "$max": {"updatedAt": at}},
            session=tx,
        )
        return new

    uuid, session_id = await _found(database, scope, uuid)
    return await write_session(database, session_id, attempt)


async def delete_message(database: Database, scope: Scope, uuid: str) -> MessageDocument:
    """Delete a message, and the summaries that may quote it; its number stays unused.

    Returns:
        The deleted document.

    Raises:
        Forbidden: the caller does not write messages of its role.
        NotFound: the message is not within the scope.
    """

    async def attempt(tx: Transaction) -> MessageDocument:
        old, session = await message_with_session(database, scope, uuid, tx)
        scope.refuse_role(old["role"], "the role of the message")
        await remove_messages(database, session, [old], tx)
        await count_removed(database, [old], tx)
        return old

    uuid, session_id = await _found(database, scope, uuid)
    return await write_session(database, session_id, attempt)


async def _found(database: Database, scope: Scope, chosen: str) -> tuple[str, str]:
    """Return the stored uuid of a caller's uuid, and the session to lock.

    The transaction checks whether a service may see the message. An end user's message is found within the scope, with
    the same work for a missing message and for one of another user.
    """
    if scope.user_id is not None:
        found = await find_meant(database, scope, chosen, {"_id"})
    else:
        found = await database.messages.find_one({"_id": chosen}, {"sessionId": 1})
    if found is None:
        raise _unknown(chosen)
    return found["_id"], found["sessionId"]


async def message_with_session(
    database: Database, scope: Scope, uuid: str, tx: Transaction
) -> tuple[MessageDocument, SessionDocument]:
    """Within a transaction, a message and its session with `userId`, `revision` and `Visible.HEAD_FIELDS`."""
    message = await database.messages.find_one({"_id": uuid}, session=tx)
    if message is None:
        raise _unknown(uuid)
    session = await database.sessions.find_one(
        {"_id": message["sessionId"]}, projection({"userId", "revision", *Visible.HEAD_FIELDS}), session=tx
    )
    if session is None or not scope.sees_session(session) or not Visible.of(session).sees(message["seq"]):
        raise _unknown(uuid)
    return message, session


def _unknown(uuid: str) -> NotFound:
    return NotFound(f"there is no message {uuid}")
