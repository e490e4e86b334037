"""What a session remembers of its messages by default."""

from __future__ import annotations

from collections.abc import Collection

from graph.operations.backend import Backend
from graph.store.documents import Document
from graph.store.messages import messages_in_range


async def recalled_messages(
    backend: Backend, session: Document, fields: Collection[str], *, last: int | None = None
) -> list[Document]:
    """The messages that the newest summary does not cover, at most the message window; or the last so many.

    Args:
        backend: the open parts of this process.
        session: read within the caller's scope, with `_id` (or `sessionId`), `summarySeq` and `erasedSeq`.
        fields: what to read of each message.
        last: how many of the newest to give instead.

    Returns:
        Oldest first.
    """
    first = session.get("erasedSeq", 0) + 1
    if last is None:
        first = max(first, session.get("summarySeq", 0) + 1)
        last = backend.settings.message_window
    session_id = session["_id"] if "_id" in session else session["sessionId"]
    return await messages_in_range(backend.database, session_id, fields, first_seq=first, last=last)
