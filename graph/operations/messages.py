"""Reads, changes and deletions of messages."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graph.enrichment.parts import joined_text
from graph.operations import validation
from graph.operations.backend import Backend
from graph.operations.filters import check_message_filter
from graph.store import messages as store
from graph.store.documents import JSONObject, MessageDocument, SessionDocument
from graph.store.editing import edits
from graph.store.editing.edits import Edit
from graph.store.entities import reading
from graph.store.messages import MessageFilter
from graph.store.reading.keyset import Listing
from graph.store.scope import Scope
from graph.store.visible import Visible


def check_own_role(scope: Scope, value: str, name: str) -> str:
    """Return the checked role of a message that the caller writes.

    Raises:
        BadUserInput: the role is not valid.
        Forbidden: the caller may not write messages of the role.
    """
    scope.refuse_role(validation.check_role(value, name), name)
    return value


def check_said(
    content: str | None, parts: Sequence[object] | None, prefix: str = ""
) -> tuple[str | None, list[JSONObject] | None]:
    """Return the content and the parts of a message; the content of parts that are sent alone is their text.

    Args:
        content: the text, if one is sent.
        parts: the parts, if they are sent.
        prefix: the name of the message in errors, with a dot.

    Raises:
        BadUserInput: something is not accepted.
    """
    checked = None if parts is None else validation.check_parts(parts, f"{prefix}parts")
    if content is None and checked:
        content = joined_text(checked)
    return validation.check_optional(content, f"{prefix}content", validation.check_content), checked


async def find_messages(
    backend: Backend, scope: Scope, uuids: Collection[str], fields: Collection[str]
) -> list[MessageDocument]:
    """Return the messages in the caller's scope, in no order, with `fields` and `_id`."""
    return await store.find_messages(backend.database, scope, uuids, fields)


def list_messages(backend: Backend, visible: Visible) -> Listing:
    """Return the visible messages of a session, oldest first."""
    return store.list_messages(backend.database, visible)


async def list_messages_meeting(backend: Backend, visible: Visible, filter_: MessageFilter) -> Listing:
    """Return the visible messages of a session that meet a filter, oldest first.

    Raises:
        BadUserInput: the filter is refused.
    """
    check_message_filter(filter_)
    return await store.list_messages_meeting(backend.database, visible, filter_)


def list_messages_with(backend: Backend, uuids: Sequence[str]) -> Listing:
    """Return the messages with these uuids, all of one session in the caller's scope, oldest first."""
    return reading.list_messages(backend.database, uuids)


async def find_message(backend: Backend, scope: Scope, chosen: str, fields: Collection[str]) -> MessageDocument | None:
    """Return the message with a caller's uuid, with `fields` and `_id`; None if it is not in the caller's scope.

    Raises:
        BadUserInput: `chosen` is not a UUID.
    """
    return await store.find_meant(backend.database, scope, validation.check_uuid(chosen, "uuid"), fields)


async def count_messages(backend: Backend, session: SessionDocument) -> int:
    """Return the number of messages of a session on the path to its head.

    Args:
        backend: the open parts of this process.
        session: a session in the caller's scope, with `messageCount` and `Visible.HEAD_FIELDS`.
    """
    visible = Visible.of_head(session)
    return session["messageCount"] if visible.path is None else await store.count_between(backend.database, visible)


async def page_of_messages(
    backend: Backend, session: SessionDocument, fields: Collection[str], *, skip: int, limit: int
) -> list[MessageDocument]:
    """Return a page of a session's messages on the path to its head by offset, oldest first.

    Args:
        backend: the open parts of this process.
        session: a session in the caller's scope, with `lastSeq`, `messageCount` and `Visible.HEAD_FIELDS`.
        fields: the paths to read of each message.
        skip: the number of messages before the page.
        limit: the maximum number of messages.

    Raises:
        BadUserInput: the limit is out of range.
    """
    limit, ends = validation.check_limit(limit), (session["messageCount"], session["lastSeq"])
    return await store.page_of_messages(
        backend.database, Visible.of_head(session), fields, ends=ends, skip=skip, limit=limit
    )


async def update_message(
    backend: Backend,
    scope: Scope,
    uuid: str,
    *,
    role: str | None = None,
    content: str | None = None,
    metadata: object = None,
    name: str | None = None,
    tool_call_id: str | None = None,
    parts: Sequence[object] | None = None,
) -> MessageDocument:
    """Change a message: a value of None stays unchanged, and metadata is merged (RFC 7396).

    Tokens are counted again. For new content, entities are extracted again, and the summaries that cover the message
    are marked stale.

    Returns:
        The whole document.

    Raises:
        BadUserInput: an argument is refused.
        Forbidden: the caller may not write messages of the old or the new role.
        NotFound: the message is not in the caller's scope.
    """
    content, checked_parts = check_said(content, parts)
    (part_tokens,) = await backend.tokens.count_parts_async([checked_parts or ()])
    edit = Edit(
        None if role is None else check_own_role(scope, role, "role"),
        content,
        None if metadata is None else validation.check_metadata(metadata),
        validation.check_optional(name, "name", validation.check_speaker),
        validation.check_optional(tool_call_id, "toolCallId", validation.check_id),
        checked_parts,
        part_tokens,
    )

    counted: dict[tuple[str, str], int] = {}

    async def count(role: str, content: str) -> int:
        # Counted once, since a write conflict repeats the transaction, and a long text takes time.
        if (role, content) not in counted:
            counted[role, content] = await backend.tokens.count_message_async(role, content)
        return counted[role, content]

    return await edits.edit_message(backend.database, scope, validation.check_uuid(uuid, "uuid"), edit, count)


async def delete_message(backend: Backend, scope: Scope, uuid: str) -> MessageDocument:
    """Delete a message, and the summaries that cover it; its number in the session is never used again.

    Returns:
        The document of the deleted message.

    Raises:
        BadUserInput: `uuid` is not a UUID.
        Forbidden: the caller may not write messages of its role.
        NotFound: the message is not in the caller's scope.
    """
    return await edits.delete_message(backend.database, scope, validation.check_uuid(uuid, "uuid"))
