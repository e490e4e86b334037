"""Sessions and users by number, for the pages of Zep's clients."""

from __future__ import annotations

from graph.operations import validation
from graph.operations.backend import Backend
from graph.store.documents import Document, SessionDocument, UserDocument
from graph.store.reading import numbers
from graph.store.scope import Scope


async def sessions_by_number(
    backend: Backend, scope: Scope, *, after: int | None = None, limit: int, user_id: str | None = None
) -> list[SessionDocument]:
    """Return whole sessions by ascending number.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        after: only greater numbers.
        limit: the maximum number of sessions.
        user_id: only sessions of this user.

    Raises:
        BadUserInput: the limit is out of range.
    """
    match: Document = {} if user_id is None else {"userId": user_id}
    return await numbers.list_by_number(
        backend.database,
        "sessions",
        {"$and": [match, scope.sessions()]},
        after=after,
        limit=validation.check_limit(limit),
    )


async def users_by_number(
    backend: Backend, scope: Scope, *, after: int | None = None, limit: int
) -> list[UserDocument]:
    """Return whole users by ascending number, only those with a number greater than `after`.

    Raises:
        BadUserInput: the limit is out of range.
    """
    return await numbers.list_by_number(
        backend.database, "users", scope.users(), after=after, limit=validation.check_limit(limit)
    )


async def numbered_session(backend: Backend, session: SessionDocument) -> SessionDocument:
    """Return a whole session with its `number`."""
    return await numbers.ensure_number(backend.database, "sessions", session)


async def numbered_user(backend: Backend, user: UserDocument) -> UserDocument:
    """Return a whole user with its `number`."""
    return await numbers.ensure_number(backend.database, "users", user)
