"""Reading, changing and deleting messages."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graph.operations import validation
from graph.operations.backend import Backend
from graph.store import edits
from graph.store import messages as store
from graph.store.documents import MessageDocument, SessionDocument
from graph.store.edits import Edit
from graph.store.entities import reading
from graph.store.keyset import Listing
from graph.store.scope import Scope
from graph.store.visible import Visible


def check_own_role(scope: Scope, value: str, name: str) -> str:
    """The role of a message that the caller writes.

    Raises:
        BadUserInput: it is no usable role.
        Forbidden: the caller does not write messages of that role.
    """
    scope.refuse_role(validation.check_role(value, name), name)
    return value


async def find_messages(
    backend: Backend, scope: Scope, uuids: Collection[str], fields: Collection[str]
) -> list[MessageDocument]:
    """Those of the messages that the caller sees, in no order, with `fields` and `_id`."""
    return await store.find_messages(backend.database, scope, uuids, fields)


def list_messages(backend: Backend, visible: Visible) -> Listing:
    """The visible messages of a session, oldest first."""
    return store.list_messages(backend.database, visible)


def list_messages_with(backend: Backend, uuids: Sequence[str]) -> Listing:
    """The messages with these uuids, all of one session that was read within the caller's scope, oldest first."""
    return reading.list_messages(backend.database, uuids)


async def find_message(backend: Backend, scope: Scope, given: str, fields: Collection[str]) -> MessageDocument | None:
    """The message that the caller means by a uuid, with `fields` and `_id`, or None where the caller sees none.

    Raises:
        BadUserInput: `given` is not a UUID.
    """
    return await store.find_meant(backend.database, scope, validation.check_uuid(given, "uuid"), fields)


async def page_of_messages(
    backend: Backend, session: SessionDocument, fields: Collection[str], *, skip: int, limit: int
) -> list[MessageDocument]:
    """Messages of a session by the number of messages that come before them, oldest first.

    Args:
        backend: the open parts of this process.
        session: read within the caller's scope, with `lastSeq`, `messageCount` and what `Visible.of` reads.
        fields: what to read of each message.
        skip: the number of messages before the page.
        limit: the maximum number of messages.

    Raises:
        BadUserInput: the limit is out of range.
    """
    limit, ends = validation.check_limit(limit), (session["messageCount"], session["lastSeq"])
    return await store.page_of_messages(
        backend.database, Visible.of(session), fields, ends=ends, skip=skip, limit=limit
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
) -> MessageDocument:
    """Change a message: a value of None stays unchanged, and metadata is merged (RFC 7396).

    Tokens are counted again. New content is read for entities again, and what covers the message in summaries is
    marked stale.

    Returns:
        The whole document.

    Raises:
        BadUserInput: something is not accepted.
        Forbidden: the caller does not write messages of its role, as it is or as it is to be.
        NotFound: the caller sees no such message.
    """
    edit = Edit(
        None if role is None else check_own_role(scope, role, "role"),
        validation.check_optional(content, "content", validation.check_content),
        None if metadata is None else validation.check_metadata(metadata),
        validation.check_optional(name, "name", validation.check_speaker),
        validation.check_optional(tool_call_id, "toolCallId", validation.check_id),
    )

    counted: dict[tuple[str, str], int] = {}

    async def count(role: str, content: str) -> int:
        # A write that meets another one is tried again, and a long text takes a while.
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
        Forbidden: the caller does not write messages of its role.
        NotFound: the caller sees no such message.
    """
    return await edits.delete_message(backend.database, scope, validation.check_uuid(uuid, "uuid"))
