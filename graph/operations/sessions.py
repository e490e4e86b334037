"""Reads, creation, changes and deletion of sessions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from graph.errors import Forbidden
from graph.operations import validation
from graph.operations.backend import Backend
from graph.operations.times import check_to_come
from graph.store import sessions as store
from graph.store.documents import Origin, SessionDocument
from graph.store.expectations import NOTHING_EXPECTED, ExpectedSession
from graph.store.expiry import Expiry
from graph.store.jobs import erasure
from graph.store.reading.keyset import Listing
from graph.store.scope import Scope
from graph.store.sessions import SessionFilter


def check_user_id(scope: Scope, user_id: str | None) -> str | None:
    """Return the checked id of a session's user.

    Raises:
        BadUserInput: the id is not valid.
        Forbidden: the user is outside the caller's scope.
    """
    if user_id is None:
        return None
    validation.check_id(user_id, "userId")
    if scope.user_id not in (None, user_id):
        raise Forbidden("userId must be your own")
    return user_id


def check_title(value: str, name: str) -> str:
    """The title of a session, which may be empty."""
    return validation.check_text(value, name, most_bytes=validation.MAX_NAME_BYTES, empty=True)


async def find_session(
    backend: Backend, scope: Scope, session_id: str, fields: Collection[str] | None = None
) -> SessionDocument | None:
    """Return a session with `fields` or all; None if it is not in the caller's scope."""
    if not validation.is_id(session_id):
        return None
    return await store.find_session(backend.database, scope, session_id, fields)


async def find_sessions(
    backend: Backend, scope: Scope, session_ids: Collection[str], fields: Collection[str]
) -> list[SessionDocument]:
    """Return the sessions in the caller's scope, in no order, with `fields` and `_id`."""
    return await store.find_sessions(backend.database, scope, session_ids, fields)


def list_sessions(
    backend: Backend, scope: Scope, filter_: SessionFilter, *, by: str = "createdAt", descending: bool = False
) -> Listing:
    """Return the sessions in the caller's scope that match a filter, by `createdAt` or `updatedAt`."""
    return store.list_sessions(backend.database, scope, filter_, by=by, descending=descending)


def one_session(backend: Backend, session_id: str) -> Listing:
    """Return the list of one session in the caller's scope."""
    return store.one_session(backend.database, session_id)


async def create_session(
    backend: Backend,
    scope: Scope,
    session_id: str,
    *,
    user_id: str | None = None,
    metadata: object = None,
    origin: Origin | None = None,
    title: str | None = None,
    expires_at: datetime | None = None,
) -> SessionDocument:
    """Create a session without messages.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        session_id: the caller's id of the session, at most 512 bytes.
        user_id: the user that it belongs to; created if new.
        metadata: any JSON object.
        origin: the uuid and creation time of an imported session.
        title: the title; None or empty for the default.
        expires_at: the time to come from which the session is as deleted; None for no such time.

    Returns:
        The whole document.

    Raises:
        BadUserInput: an argument is refused.
        Conflict: the session exists.
        Forbidden: the user is outside the caller's scope.
    """
    return await store.create_session(
        backend.database,
        scope,
        validation.check_id(session_id, "sessionId"),
        user_id=check_user_id(scope, user_id),
        metadata=validation.check_metadata(metadata),
        origin=origin,
        title=validation.check_optional(title, "title", check_title),
        expires_at=None if expires_at is None else check_to_come(expires_at, "expiresAt"),
    )


async def update_session(
    backend: Backend,
    scope: Scope,
    session_id: str,
    *,
    metadata: object = None,
    user_id: str | None = None,
    title: str | None = None,
    archived: bool | None = None,
    expiry: Expiry | None = None,
    head: str | None = None,
    expected: ExpectedSession = NOTHING_EXPECTED,
) -> SessionDocument:
    """Change a session, and assign it to a user if it belongs to no user. None leaves a value unchanged.

    Metadata is merged (RFC 7396).

    Returns:
        The whole document.

    Raises:
        BadUserInput: an argument is refused.
        NotFound: the session is not in the caller's scope.
        Conflict: the session belongs to another user, or is not the expected one.
        Forbidden: the user is outside the caller's scope.
    """
    return await store.update_session(
        backend.database,
        scope,
        validation.check_id(session_id, "sessionId"),
        user_id=check_user_id(scope, user_id),
        metadata=None if metadata is None else validation.check_metadata(metadata),
        title=validation.check_optional(title, "title", check_title),
        archived=archived,
        expiry=check_expiry(expiry),
        head=validation.check_optional(head, "head", validation.check_uuid),
        expected=check_expected(expected),
    )


def check_expected(expected: ExpectedSession) -> ExpectedSession:
    """Return an expectation, with its UUID in canonical form.

    Raises:
        BadUserInput: the UUID is none.
    """
    uuid = validation.check_optional(expected.uuid, "expectedUuid", validation.check_uuid)
    return ExpectedSession(expected.revision, uuid)


def check_expiry(expiry: Expiry | None) -> Expiry | None:
    """Return a change of an expiry, with its time in milliseconds.

    Raises:
        BadUserInput: the time has passed.
    """
    if expiry is None or expiry.at is None:
        return expiry
    return Expiry(check_to_come(expiry.at, "expiresAt"))


async def delete_session(backend: Backend, scope: Scope, session_id: str) -> None:
    """Delete a session with its contents: invisible on return, and erased soon after.

    Raises:
        BadUserInput: `session_id` is not a valid id.
        NotFound: the session is not in the caller's scope.
    """
    job = await store.delete_session(backend.database, scope, validation.check_id(session_id, "sessionId"))
    if job is not None:
        erasure.begin(backend.database, job)
