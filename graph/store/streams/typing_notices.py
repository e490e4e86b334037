"""The collection `typing`: the latest notice of each writer in a session.

A notice reaches subscribers of all processes by the change stream. MongoDB removes a notice soon after it has expired.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from graph.errors import NotFound
from graph.store.database import Database
from graph.store.documents import now
from graph.store.driver.types import DuplicateKeyError
from graph.store.scope import Scope
from graph.store.sessions import find_sessions
from graph.store.streams.documents import TypingDocument

INTERVAL: Final = timedelta(seconds=1)
"""The least time between two notices of one writer in one session."""
VALIDITY: Final = timedelta(seconds=6)
"""The time for which a notice is true without another one."""


async def note_typing(database: Database, scope: Scope, session_id: str, name: str | None, *, typing: bool) -> bool:
    """Store that the caller writes in a session, or no longer does; return whether subscribers get the notice.

    A notice within `INTERVAL` of the one before is left out. An end user has one notice in a session, a backend one for
    each name.

    Raises:
        NotFound: the session is not within the scope.
    """
    if not await find_sessions(database, scope, [session_id], {"_id"}):
        raise NotFound(f"there is no session {session_id}")
    at = now()
    notice: TypingDocument = {
        "_id": f"{session_id}\0{'name' if scope.user_id is None else 'user'}\0{scope.user_id or name or ''}",
        "sessionId": session_id,
        "userId": scope.user_id,
        "name": name,
        "typing": typing,
        "at": at,
        "expiresAt": at + VALIDITY,
    }
    try:
        await database.typing.replace_one({"_id": notice["_id"], "at": {"$lte": at - INTERVAL}}, notice, upsert=True)
    except DuplicateKeyError:  # the notice before is too recent
        return False
    return True
