"""The `users` collection: the people and accounts that sessions belong to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import cast

from graph.errors import Conflict, NotFound, StoredButUnfinished, Unavailable, shown
from graph.store.database import Database
from graph.store.documents import Document, Origin, UserDocument, new_uuid, now
from graph.store.driver.answer import read_whole
from graph.store.driver.types import Transaction
from graph.store.editing.merge import merged_metadata
from graph.store.feed.tombstones import forget_user
from graph.store.jobs import erasure, retention
from graph.store.reading.keyset import Listing
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.transfer.cancelling import cancel_forks
from graph.store.writes import write, write_of_user


async def find_user(
    database: Database, scope: Scope, user_id: str, fields: Collection[str] | None = None
) -> UserDocument | None:
    """The user with only `fields`, or None when it is unknown or outside the scope."""
    found = await database.users.find_one({"$and": [{"_id": user_id}, scope.users()]}, projection(fields))
    return found


async def find_users(
    database: Database, scope: Scope, user_ids: Collection[str], fields: Collection[str]
) -> list[UserDocument]:
    """Return the users that exist within the scope, in no order, with `fields` and `_id`."""
    return await read_whole(
        database.users,
        {"$and": [{"_id": {"$in": list(user_ids)}}, scope.users()]},
        projection({*fields, "_id"}),
        limit=max(1, len(user_ids)),
    )


def list_users(database: Database, scope: Scope) -> Listing:
    """Return the users within the scope, in the order of creation."""
    return Listing(database.users, scope.users(), ("createdAt", "_id"), ("createdAt", "_id"))


def new_user(user_id: str, at: datetime, **fields: object) -> UserDocument:
    """A user's document."""
    user = {"_id": user_id, "uuid": new_uuid(), "metadata": {}, "createdAt": at, "updatedAt": at, **fields}
    return cast("UserDocument", user)


async def give_session(database: Database, user_id: str, session_id: str, at: datetime, tx: Transaction) -> None:
    """Within a transaction that assigns a stored session to a user, create the user if missing.

    The session gets the user's retention. The user's document is always written, so that the assignment conflicts with
    a concurrent deletion of the user, or change of its retention.
    """
    user = await hold_user(database, user_id, at, tx)
    if user is not None and (days := user.get("retentionDays")) is not None:
        await database.all_sessions.update_one({"_id": session_id}, {"$set": {"retentionDays": days}}, session=tx)


async def hold_user(database: Database, user_id: str, at: datetime, tx: Transaction) -> UserDocument | None:
    """Within a transaction that stores data of a user, write its document, and create the user if missing.

    Returns:
        The user with its retention; None if it is new.
    """
    user = await database.users.find_one_and_update(
        {"_id": user_id}, {"$inc": {"sessionsGiven": 1}}, projection={"retentionDays": 1}, session=tx
    )
    if user is None:
        await erasure.refuse_while_under_way(database, erasure.user_job(user_id), tx)
        await database.users.insert_one(new_user(user_id, at, sessionsGiven=1), session=tx)
    return user


async def create_user(
    database: Database, user_id: str, fields: Document, *, origin: Origin | None = None
) -> UserDocument:
    """Create a user.

    Args:
        database: the open database.
        user_id: the caller's id of the user.
        fields: the `email`, `firstName`, `lastName`, `retentionDays` and `metadata` that have a value.
        origin: the uuid and creation time of an imported user.

    Raises:
        Conflict: the user exists.
    """

    async def attempt(tx: Transaction) -> UserDocument:
        if await database.users.find_one({"_id": user_id}, {"_id": 1}, session=tx) is not None:
            message = f"user {shown(user_id)} exists already: change it with updateUser"
            raise Conflict(message)
        await erasure.refuse_while_under_way(database, erasure.user_job(user_id), tx)
        user = new_user(user_id, now(), **fields)
        if origin is not None:
            user["uuid"], user["createdAt"] = origin.uuid, min(origin.created_at, user["createdAt"])
        await database.users.insert_one(user, session=tx)
        return user

    return await write(database, attempt)


async def update_user(
    database: Database, scope: Scope, user_id: str, fields: Document, metadata: Document | None
) -> UserDocument:
    """Change a user.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        user_id: the user.
        fields: new values of `email`, `firstName`, `lastName` and `retentionDays`; None removes one.
        metadata: merged in.

    Raises:
        NotFound: the user is not within the scope.
    """

    async def attempt(tx: Transaction) -> UserDocument:
        old = await database.users.find_one({"$and": [{"_id": user_id}, scope.users()]}, session=tx)
        if old is None:
            raise _unknown(user_id)
        values = {name: value for name, value in {**old, **fields}.items() if value is not None}
        new = cast("UserDocument", values)
        new["metadata"] = merged_metadata(old["metadata"], metadata)
        if new == old and new["metadata"] is old["metadata"]:
            return old
        if new.get("retentionDays") != old.get("retentionDays"):
            await retention.schedule(database, user_id, tx)
        new["updatedAt"] = max(now(), old["updatedAt"])
        await database.users.replace_one({"_id": user_id}, new, session=tx)
        return new

    updated = await write(database, attempt)
    if "retentionDays" in fields:
        await retention.settle(database, user_id)
    return updated


async def delete_user(database: Database, scope: Scope, user_id: str) -> list[str]:
    """Delete a user and its sessions, which are invisible on return.

    Returns:
        The ids of the remaining erasures.

    Raises:
        NotFound: the user is not within the scope.
    """

    async def attempt(tx: Transaction) -> list[str]:
        result = await database.users.delete_one({"$and": [{"_id": user_id}, scope.users()]}, session=tx)
        if not result.deleted_count:
            raise _unknown(user_id)
        await retention.forget(database, user_id, tx)
        copied = await cancel_forks(database, {"userId": user_id}, tx) or []
        return [*await erasure.erase_sessions_of(database, user_id, tx), *copied]

    jobs = await write_of_user(database, user_id, attempt)
    try:
        await erasure.hide_sessions_of(database, user_id)
        await forget_user(database, user_id)
    except Unavailable as error:
        message = "the user is deleted; its sessions go as soon as MongoDB answers: do not repeat the mutation"
        raise StoredButUnfinished(message) from error
    return jobs


def _unknown(user_id: str) -> NotFound:
    return NotFound(f"there is no user {shown(user_id)}")
