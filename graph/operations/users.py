"""Reads, creation, changes and deletion of users."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final

from graph.errors import BadUserInput, Forbidden
from graph.operations import validation
from graph.operations.backend import Backend
from graph.store import users as store
from graph.store.documents import Document, Origin, UserDocument
from graph.store.expiry import MOST_DAYS
from graph.store.jobs import erasure
from graph.store.reading.keyset import Listing
from graph.store.scope import Scope


class Unchanged(Enum):
    """The type of `UNCHANGED`."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED
"""Keeps the value of a user's field, while None removes it."""


async def find_user(
    backend: Backend, scope: Scope, user_id: str, fields: Collection[str] | None = None
) -> UserDocument | None:
    """Return a user with `fields` or all; None if the user is not in the caller's scope."""
    if not validation.is_id(user_id):
        return None
    return await store.find_user(backend.database, scope, user_id, fields)


async def find_users(
    backend: Backend, scope: Scope, user_ids: Collection[str], fields: Collection[str]
) -> list[UserDocument]:
    """Return the users in the caller's scope, in no order, with `fields` and `_id`."""
    return await store.find_users(backend.database, scope, user_ids, fields)


def list_users(backend: Backend, scope: Scope) -> Listing:
    """Return the users in the caller's scope, in the order of their creation."""
    return store.list_users(backend.database, scope)


async def create_user(
    backend: Backend,
    scope: Scope,
    user_id: str,
    *,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    retention_days: int | None = None,
    metadata: object = None,
    origin: Origin | None = None,
) -> UserDocument:
    """Create a user; `origin` has the uuid and creation time of an imported one.

    Returns:
        The whole document.

    Raises:
        BadUserInput: an argument is refused.
        Conflict: the user exists.
        Forbidden: the user is outside the caller's scope.
    """
    validation.check_id(user_id, "userId")
    if scope.user_id not in (None, user_id):
        raise Forbidden("userId must be your own")
    retention = UNCHANGED if retention_days is None else retention_days
    checked = {**_checked(email, first_name, last_name), **_checked_retention(scope, retention)}
    fields = {name: value for name, value in checked.items() if value is not None}
    fields["metadata"] = validation.check_metadata(metadata)
    return await store.create_user(backend.database, user_id, fields, origin=origin)


async def update_user(
    backend: Backend,
    scope: Scope,
    user_id: str,
    *,
    email: str | Unchanged | None = UNCHANGED,
    first_name: str | Unchanged | None = UNCHANGED,
    last_name: str | Unchanged | None = UNCHANGED,
    retention_days: int | Unchanged | None = UNCHANGED,
    metadata: object = None,
) -> UserDocument:
    """Change a user; None removes a field, and metadata is merged (RFC 7396).

    On return, the sessions are invisible that a new retention makes expired.

    Returns:
        The whole document.

    Raises:
        BadUserInput: an argument is refused.
        NotFound: the user is not in the caller's scope.
    """
    return await store.update_user(
        backend.database,
        scope,
        validation.check_id(user_id, "userId"),
        {**_checked(email, first_name, last_name), **_checked_retention(scope, retention_days)},
        None if metadata is None else validation.check_metadata(metadata),
    )


async def delete_user(backend: Backend, scope: Scope, user_id: str) -> None:
    """Delete a user with its sessions and their contents: invisible on return, and erased soon after.

    Raises:
        BadUserInput: `user_id` is not a valid id.
        NotFound: the user is not in the caller's scope.
    """
    database = backend.database
    jobs = await store.delete_user(database, scope, validation.check_id(user_id, "userId"))
    for job in jobs:
        erasure.begin(database, job)


def _checked(
    email: str | Unchanged | None, first_name: str | Unchanged | None, last_name: str | Unchanged | None
) -> Document:
    """Return the fields to change, with the values to store."""
    sent = {"email": email, "firstName": first_name, "lastName": last_name}
    checked: Document = {}
    for name, value in sent.items():
        if isinstance(value, Unchanged):
            continue
        most = validation.MAX_EMAIL_BYTES if name == "email" else validation.MAX_NAME_BYTES
        checked[name] = None if value is None else validation.check_text(value, name, most_bytes=most, empty=True)
    return checked


def _checked_retention(scope: Scope, days: int | Unchanged | None) -> Document:
    """Return the retention to store, if it is to change.

    Raises:
        BadUserInput: it is out of range.
        Forbidden: the caller's scope is one user, who could undo the retention that the service has set.
    """
    if isinstance(days, Unchanged):
        return {}
    if scope.user_id is not None:
        raise Forbidden("retentionDays is set by the service: leave it out")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise BadUserInput(f"retentionDays is {days:,}, and must be in 1..{MOST_DAYS:,}, or null for the server's")
    return {"retentionDays": days}
