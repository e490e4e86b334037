"""Reading, making, changing and deleting sessions."""

from __future__ import annotations

from collections.abc import Collection

from graph.errors import Forbidden
from graph.operations import validation
from graph.operations.backend import Backend
from graph.store import sessions as store
from graph.store.documents import Origin, SessionDocument
from graph.store.jobs import erasure
from graph.store.keyset import Listing
from graph.store.scope import Scope
from graph.store.sessions import SessionFilter


def check_user_id(scope: Scope, user_id: str | None) -> str | None:
    """The user whom a session is to belong to.

    Raises:
        BadUserInput: it is no usable id.
        Forbidden: the caller may only write for another user.
    """
    if user_id is None:
        return None
    validation.check_id(user_id, "userId")
    if scope.user_id not in (None, user_id):
        raise Forbidden("userId must be your own")
    return user_id


async def find_session(
    backend: Backend, scope: Scope, session_id: str, fields: Collection[str] | None = None
) -> SessionDocument | None:
    """A session with `fields` or all, or None where the caller sees no session with that id."""
    if not validation.is_id(session_id):
        return None
    return await store.find_session(backend.database, scope, session_id, fields)


async def find_sessions(
    backend: Backend, scope: Scope, session_ids: Collection[str], fields: Collection[str]
) -> list[SessionDocument]:
    """Those of the sessions that the caller sees, in no order, with `fields` and `_id`."""
    return await store.find_sessions(backend.database, scope, session_ids, fields)


def list_sessions(
    backend: Backend, scope: Scope, wanted: SessionFilter, *, by: str = "createdAt", descending: bool = False
) -> Listing:
    """The sessions that the caller sees and a filter lets through, by `createdAt` or `updatedAt`."""
    return store.list_sessions(backend.database, scope, wanted, by=by, descending=descending)


def one_session(backend: Backend, session_id: str) -> Listing:
    """The list of one session, which was read within the caller's scope."""
    return store.one_session(backend.database, session_id)


async def create_session(
    backend: Backend,
    scope: Scope,
    session_id: str,
    *,
    user_id: str | None = None,
    metadata: object = None,
    origin: Origin | None = None,
) -> SessionDocument:
    """Make a session without messages.

    Args:
        backend: the open parts of this process.
        scope: what the caller may see.
        session_id: the caller's id of the session, at most 512 bytes.
        user_id: the user that it belongs to; made where it is new.
        metadata: any JSON object.
        origin: where it was made elsewhere.

    Returns:
        The whole document.

    Raises:
        BadUserInput: something is not accepted.
        Conflict: the session exists.
        Forbidden: the caller may not write for that user.
    """
    return await store.create_session(
        backend.database,
        scope,
        validation.check_id(session_id, "sessionId"),
        user_id=check_user_id(scope, user_id),
        metadata=validation.check_metadata(metadata),
        origin=origin,
    )


async def update_session(
    backend: Backend, scope: Scope, session_id: str, *, metadata: object = None, user_id: str | None = None
) -> SessionDocument:
    """Merge metadata into a session, and give it to a user where it belongs to none.

    Returns:
        The whole document.

    Raises:
        BadUserInput: something is not accepted.
        NotFound: the caller sees no such session.
        Conflict: it belongs to another user.
        Forbidden: the caller may not write for that user.
    """
    return await store.update_session(
        backend.database,
        scope,
        validation.check_id(session_id, "sessionId"),
        user_id=check_user_id(scope, user_id),
        metadata=None if metadata is None else validation.check_metadata(metadata),
    )


async def delete_session(backend: Backend, scope: Scope, session_id: str) -> None:
    """Delete a session with all that it holds: unseen when this returns, without any trace soon after.

    Raises:
        BadUserInput: `session_id` is no usable id.
        NotFound: the caller sees no such session.
    """
    job = await store.delete_session(backend.database, scope, validation.check_id(session_id, "sessionId"))
    if job is not None:
        erasure.begin(backend.database, job)
