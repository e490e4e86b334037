"""The session memory: the messages that a session's memory returns by default."""

from __future__ import annotations

from collections.abc import Collection

from graph.operations.backend import Backend
from graph.operations.validation import check_last, is_id
from graph.store import sessions
from graph.store.documents import Document, MessageDocument
from graph.store.messages import count_between, messages_in_range, tokens_of
from graph.store.reading.memory_window import Recent, find_recent_memory
from graph.store.scope import Scope
from graph.store.visible import Visible


async def find_session_memory(
    backend: Backend, scope: Scope, session_id: str, fields: Collection[str]
) -> Document | None:
    """Return the session of a session memory, with `fields`; None if the session is not in the caller's scope.

    For `tokenCount`, `fields` must have the paths that `Visible.of_memory` reads.
    """
    if not is_id(session_id):
        return None
    found = await sessions.find_session_memory(backend.database, scope, session_id, fields)
    return await _with_tokens_of_path(backend, found, fields)


async def _with_tokens_of_path(backend: Backend, memory: Document | None, fields: Collection[str]) -> Document | None:
    """Return a session memory with the tokens of its path, if they are selected: the session counts all branches."""
    if memory is not None and "tokenCount" in fields and "branches" in memory:
        memory["tokenCount"] = await tokens_of(backend.database, Visible.of_memory(memory))
    return memory


async def recalled_messages(
    backend: Backend, visible: Visible, summary_seq: int, fields: Collection[str], *, last: int | None = None
) -> list[MessageDocument]:
    """Return the messages that the newest summary does not cover, at most the message window, or the last `last`.

    Args:
        backend: the open parts of this process.
        visible: the session's visible part.
        summary_seq: the seq of the last summarised message.
        fields: the paths to read of each message.
        last: the number of newest messages to return instead.

    Returns:
        The messages, oldest first.

    Raises:
        BadUserInput: `last` is out of range.
    """
    check_last(last)
    if last is None:
        visible, last = visible.beyond(summary_seq), backend.settings.message_window
    return await messages_in_range(backend.database, visible, fields, last=last)


async def omitted_messages(backend: Backend, visible: Visible, summary_seq: int) -> int:
    """Return the number of messages between the newest summary and the message window.

    Args:
        backend: the open parts of this process.
        visible: the session's visible part.
        summary_seq: the seq of the last summarised message.
    """
    uncovered = await count_between(backend.database, visible.beyond(summary_seq))
    return max(0, uncovered - backend.settings.message_window)


async def recalled_memory(
    backend: Backend,
    scope: Scope,
    session_id: str,
    fields: Collection[str],
    message_fields: Collection[str],
    *,
    last: int | None = None,
) -> Document | None:
    """Return the session of a session memory, with the `messages` of `recalled_messages`, by one read.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        session_id: the session.
        fields: the paths to read of the session.
        message_fields: the paths to read of each message.
        last: the number of newest messages, at least 1, to return instead of the default.
    """
    if not is_id(session_id):
        return None
    recent = Recent(last or backend.settings.message_window, message_fields, after_summary=last is None)
    found = await find_recent_memory(backend.database, scope, session_id, fields, recent)
    return await _with_tokens_of_path(backend, found, fields)
