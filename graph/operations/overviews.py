"""The title, the newest message and the number of unread messages of each session of a list."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graph.operations import validation
from graph.operations.backend import Backend
from graph.store import read_marks
from graph.store.documents import Document, MessageDocument, SessionDocument
from graph.store.reading import overviews
from graph.store.scope import Scope
from graph.store.visible import Visible

USERS = frozenset({"user", "human"})
"""The roles of messages of users."""
MOST_OF_TITLE = 80
"""Maximum characters of a default title."""
MOST_UNREAD = 1_000
"""Maximum of a number of unread messages, since counting takes time in proportion."""


async def titles(
    backend: Backend,
    sessions: Sequence[SessionDocument],
    _fields: Collection[str] = (),
) -> dict[str, str]:
    """Return the titles of sessions, read with `title` and `Visible.HEAD_FIELDS`, by session.

    By default, that is the beginning of the first message of a user; without one, a session has no title.
    """
    found = {session["_id"]: title for session in sessions if (title := session.get("title"))}
    untitled = [Visible.of_head(session) for session in sessions if session["_id"] not in found]
    said = await overviews.first_words(backend.database, untitled, USERS, MOST_OF_TITLE + 1)
    return found | {session_id: _shortened(words) for session_id, words in said.items()}


def _shortened(said: str) -> str:
    words = " ".join(said.split())
    return words if len(words) <= MOST_OF_TITLE else f"{words[: MOST_OF_TITLE - 1].rstrip()}…"


async def newest_messages(
    backend: Backend, sessions: Sequence[SessionDocument], fields: Collection[str]
) -> dict[str, MessageDocument]:
    """Return the last message on the path to the head of each session that has one, by session.

    Args:
        backend: the open parts of this process.
        sessions: read with `Visible.HEAD_FIELDS`.
        fields: the paths to read of each message.
    """
    return await overviews.newest_messages(backend.database, [Visible.of_head(session) for session in sessions], fields)


async def unread_counts(
    backend: Backend,
    sessions: Sequence[SessionDocument],
    _fields: Collection[str] = (),
) -> dict[str, int]:
    """Return the number of messages that the user of each session has not read, at most `MOST_UNREAD`, by session.

    Only the messages of sessions with deleted messages or branches are counted: otherwise the numbers of the session
    suffice.

    Args:
        backend: the open parts of this process.
        sessions: read with `readSeq`, `lastSeq`, `messageCount` and `Visible.HEAD_FIELDS`.
    """
    places = {
        Visible.of_head(session): session.get("readSeq", 0) for session in sessions if _unread_of(session) is None
    }
    counted = await overviews.count_beyond(backend.database, places, MOST_UNREAD)
    unread: dict[str, int] = {}
    for session in sessions:
        count = _unread_of(session)
        unread[session["_id"]] = counted.get(session["_id"], 0) if count is None else min(count, MOST_UNREAD)
    return unread


def _unread_of(session: SessionDocument) -> int | None:
    read, visible = session.get("readSeq", 0), Visible.of_head(session)
    if visible.path is not None:
        return None
    after = visible.after_seq
    if read <= after:
        return session["messageCount"]
    if session["lastSeq"] - after == session["messageCount"]:
        return session["lastSeq"] - read
    return 0 if read == session["lastSeq"] else None


async def unfinished_counts(
    backend: Backend, sessions: Sequence[SessionDocument], _fields: Collection[str] = ()
) -> dict[str, Document]:
    """Return the numbers of `pending` and `failed` messages of each session, read with `Visible.FIELDS`, by session."""
    found = await overviews.unfinished_counts(backend.database, [Visible.of(session) for session in sessions])
    return {session["_id"]: {"pending": 0, "failed": 0, **found.get(session["_id"], {})} for session in sessions}


async def mark_read(backend: Backend, scope: Scope, session_id: str, seq: int) -> SessionDocument:
    """Note that the user of a session has read its messages up to a number; a smaller number changes nothing.

    Returns:
        The whole session.

    Raises:
        BadUserInput: an argument is refused.
        NotFound: the session is not in the caller's scope.
    """
    validation.check_id(session_id, "sessionId")
    return await read_marks.mark_read(backend.database, scope, session_id, validation.check_seq(seq))
