"""The `sessions` collection: conversations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar, cast

from graph.errors import Conflict, Forbidden, NotFound, StoredButUnfinished, Unavailable, shown
from graph.store import users
from graph.store.database import Database
from graph.store.documents import (
    AnyDocument,
    Document,
    JSONObject,
    MemoryDocument,
    MessageDocument,
    Origin,
    SessionChanges,
    SessionDocument,
    SummaryDocument,
    new_uuid,
    now,
)
from graph.store.driver.answer import read_whole
from graph.store.driver.types import Transaction
from graph.store.editing.merge import merged_metadata
from graph.store.editing.stamps import stamp_of
from graph.store.expectations import NOTHING_EXPECTED, ExpectedSession
from graph.store.expiry import Expiry, update_of
from graph.store.feed.tombstones import add_contents_tombstone
from graph.store.jobs import erasure, handover
from graph.store.reading.keyset import Listing
from graph.store.reading.metadata import Condition, holds, possible
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.titles import named, with_words, words_of
from graph.store.transfer.cancelling import cancel_forks
from graph.store.tree import branches
from graph.store.tree.heads import change_of_head
from graph.store.visible import Visible, erased_until
from graph.store.writes import next_revision, write_session

D = TypeVar("D", MemoryDocument, MessageDocument, SummaryDocument)
AS_MEMORY = {"sessionId": "_id"}
_SHOWN = 200  # characters of a prefix, in an error


async def find_session(
    database: Database, scope: Scope, session_id: str, fields: Collection[str] | None = None
) -> SessionDocument | None:
    """The session with only `fields`, or None when it is unknown or outside the scope."""
    found = await database.sessions.find_one({"_id": session_id, **scope.sessions()}, projection(fields))
    return found


async def find_visible(database: Database, scope: Scope, session_id: str) -> Visible:
    """Return the visible part of a session; nothing is visible of an unknown one, or of one outside the scope."""
    found = await find_session(database, scope, session_id, Visible.FIELDS)
    return Visible.nothing_of(session_id) if found is None else Visible.of(found)


async def find_session_memory(
    database: Database, scope: Scope, session_id: str, fields: Collection[str]
) -> Document | None:
    """Return a session memory, in the form of a document of `memories`, without a range.

    `uuid`, `createdAt`, `metadata` and `tokenCount` are the session's.
    """
    found = await database.sessions.find_one(
        {"_id": session_id, **scope.sessions()}, projection({*fields, "sessionId"}, AS_MEMORY)
    )
    return None if found is None else as_session_memory(found)


def as_session_memory(session: AnyDocument) -> Document:
    """A session document, read with at least `_id`, as the source of a `Memory`."""
    memory: Document = {name: value for name, value in session.items() if name != "_id"}
    memory["sessionId"] = session["_id"]
    return memory


async def find_sessions(
    database: Database, scope: Scope, session_ids: Collection[str], fields: Collection[str]
) -> list[SessionDocument]:
    """Return the sessions that exist within the scope, in no order."""
    return await read_whole(
        database.sessions,
        {"_id": {"$in": list(session_ids)}, **scope.sessions()},
        projection({*fields, "_id"}),
        limit=max(1, len(session_ids)),
    )


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """The sessions to list: sessions that meet all conditions.

    Attributes:
        user_id: the user that they belong to.
        created: the start, and the exclusive end, of the creation.
        updated: the same for the last change.
        metadata: conditions that its metadata meets.
        named: a text that their ids, or words of their titles, begin with, see `titles.named`.
        archived: True for archived sessions alone, False for the others alone; None for either.
    """

    user_id: str | None = None
    created: tuple[datetime | None, datetime | None] = (None, None)
    updated: tuple[datetime | None, datetime | None] = (None, None)
    metadata: tuple[Condition, ...] = ()
    archived: bool | None = None
    named: str | None = None


ANY_SESSION = SessionFilter()
_MOST_BY_INDEX = 4
"""Maximum conditions on metadata for which an index is tried: MongoDB makes and tries a plan for each of them."""


def one_session(database: Database, session_id: str) -> Listing:
    """A list of one session in the caller's scope."""
    return Listing(database.sessions, {"_id": session_id}, ("_id",), ("_id",))


def list_sessions(
    database: Database,
    scope: Scope,
    filter_: SessionFilter = ANY_SESSION,
    *,
    by: str = "createdAt",
    descending: bool = False,
) -> Listing:
    """The sessions within the scope that a filter lets through, by `createdAt` or `updatedAt`."""
    conditions: list[Document] = []
    for name, (first, end) in (("createdAt", filter_.created), ("updatedAt", filter_.updated)):
        bounds = {"$gte": first, "$lt": end}
        if first is not None or end is not None:
            conditions.append({name: {key: value for key, value in bounds.items() if value is not None}})
    if filter_.user_id is not None:
        conditions.append({"userId": filter_.user_id})
    if filter_.archived is not None:
        conditions.append({"archived": True if filter_.archived else {"$ne": True}})
    if scope.sessions():
        conditions.append(scope.sessions())
    if filter_.named is not None:
        conditions.append(named(filter_.named))
    tests = [holds(("metadata", *path), value) for path, value in filter_.metadata]
    if tests:
        conditions.append({"$expr": {"$and": tests}})
    by_index = (test for path, value in filter_.metadata for test in possible(("metadata", *path), value))
    possibly = list(islice(by_index, _MOST_BY_INDEX))
    conditions += possibly
    match = {"$and": conditions} if conditions else {}
    owned = filter_.user_id is not None or scope.user_id is not None
    index = ("userId", by, "_id") if owned else (by, "_id")
    is_chosen = bool(possibly) or filter_.named is not None
    # The indexes of metadata and names are faster for a rare value, and the list's order for a frequent one. MongoDB
    # tries both.
    return Listing(database.sessions, match, (by, "_id"), None if is_chosen else index, descending)


async def create_session(
    database: Database,
    scope: Scope,
    session_id: str,
    *,
    user_id: str | None,
    metadata: JSONObject,
    origin: Origin | None = None,
    title: str | None = None,
    expires_at: datetime | None = None,
) -> SessionDocument:
    """Create a session without messages.

    Raises:
        Conflict: the session exists.
        Forbidden: the session exists outside the caller's scope, or its id lacks the caller's prefix.
    """
    owner_id = user_id or scope.user_id

    async def attempt(tx: Transaction) -> SessionDocument:
        existing = await database.sessions.find_one({"_id": session_id}, {"userId": 1}, session=tx)
        if existing is not None:
            refuse_unseen(scope, existing)
            message = f"session {shown(session_id)} exists already: change it with updateSession, or choose another id"
            raise Conflict(message)
        refuse_other_prefix(scope, session_id)
        await erasure.refuse_while_under_way(database, erasure.session_job(session_id), tx)
        at = now()
        created: SessionDocument = {
            "_id": session_id,
            "uuid": origin.uuid if origin else new_uuid(),
            "metadata": metadata,
            "createdAt": min(origin.created_at, at) if origin else at,
            "updatedAt": at,
            "lastSeq": 0,
            "messageCount": 0,
            "tokenCount": 0,
            "summarySeq": 0,
            "revision": 1,
        }
        if owner_id is not None:
            created["userId"] = owner_id
        if title:
            created["title"] = title
        if expires_at is not None:
            created["expiresAt"] = expires_at
        await database.sessions.insert_one(with_words(created), session=tx)
        if owner_id is not None:
            await users.give_session(database, owner_id, session_id, at, tx)
        return created

    return await write_session(database, session_id, attempt, user_id=owner_id)


async def update_session(
    database: Database,
    scope: Scope,
    session_id: str,
    *,
    user_id: str | None,
    metadata: JSONObject | None,
    title: str | None = None,
    archived: bool | None = None,
    expiry: Expiry | None = None,
    head: str | None = None,
    expected: ExpectedSession = NOTHING_EXPECTED,
) -> SessionDocument:
    """Change a session, and assign it to a user if it belongs to no user. None leaves a value unchanged.

    Raises:
        BadUserInput: the session does not have the message that is to be its head.
        NotFound: the session is not within the scope.
        Conflict: the session belongs to another user.
    """
    hands_over = False

    async def attempt(tx: Transaction) -> SessionDocument:
        nonlocal hands_over
        old = await session_to_change(database, scope, session_id, tx)
        refuse_other_user(old, user_id)
        expected.refuse_other(old.get("revision", 0), old["uuid"])
        changes: SessionChanges = {}
        at, hands_over = now(), False
        if user_id is not None and old.get("userId") is None:
            changes["userId"] = user_id
            await users.give_session(database, user_id, session_id, at, tx)
            hands_over = await handover.give_to_user(database, session_id, user_id, tx)
        if (new := merged_metadata(old["metadata"], metadata)) is not old["metadata"]:
            changes["metadata"] = new
        if title is not None and title != old.get("title", ""):
            changes["title"], changes["titleWords"] = title, words_of(title) or None
        if archived is not None and archived != old.get("archived", False):
            changes["archived"] = archived
        if expiry is not None:
            changes.update(expiry.changes(old))
        of_head = {} if head is None else await change_of_head(database, scope, old, head, tx)
        if not changes and not of_head:
            return old
        changes["updatedAt"], changes["revision"] = max(at, old["updatedAt"]), next_revision(old)
        of_fields = update_of(changes)
        set_ = {**of_fields["$set"], **of_head.get("$set", {})}
        unset = {**of_fields.get("$unset", {}), **of_head.get("$unset", {})}
        update = {"$set": set_, "$unset": unset} if unset else {"$set": set_}
        await database.sessions.update_one({"_id": session_id}, update, session=tx)
        changed = {name: value for name, value in {**old, **set_}.items() if name not in unset}
        return cast("SessionDocument", changed)

    updated = await write_session(database, session_id, attempt, user_id=user_id)
    if hands_over:
        await handover.settle(database, session_id)
    return updated


async def delete_session(database: Database, scope: Scope, session_id: str) -> str | None:
    """Delete a session and its contents, or cancel the fork that makes the session.

    Returns:
        The id of the remaining erasure, or None.

    Raises:
        NotFound: the session is not within the scope.
    """

    async def attempt(tx: Transaction) -> str | None:
        try:
            session = await session_to_change(database, scope, session_id, tx)
        except NotFound:
            making = {"_id": session_id, "failed": {"$exists": False}, **scope.sessions()}
            jobs = await cancel_forks(database, making, tx)
            if jobs is None:
                raise
            return jobs[0] if jobs else None
        return await erasure.erase_session(database, session, session.get("userId"), tx)

    return await _with_entities(database, await write_session(database, session_id, attempt))


async def _with_entities(database: Database, job: str | None) -> str | None:
    """Remove the entities that a deletion left, which must be invisible on its return; return the remaining job."""
    if job is not None:
        try:
            await erasure.forget_entities(database, job)
        except Unavailable as error:
            message = (
                "the contents are deleted; their entities go as soon as MongoDB answers: do not repeat the mutation"
            )
            raise StoredButUnfinished(message) from error
    return job


async def delete_contents(database: Database, scope: Scope, session_id: str) -> str | None:
    """Delete all messages, memories and summaries of a session; the session and its last number stay.

    Returns:
        The id of the remaining erasure, or None.

    Raises:
        NotFound: the session is not within the scope.
    """

    async def attempt(tx: Transaction) -> str | None:
        session = await session_to_change(database, scope, session_id, tx)
        job = await erasure.erase_contents(database, session, tx)
        await add_contents_tombstone(database, session_id, session["lastSeq"], stamp_of(next_revision(session), 1), tx)
        await database.sessions.update_one(
            {"_id": session_id},
            {
                "$set": {"messageCount": 0, "tokenCount": 0, "summarySeq": 0, **erased_until(session["lastSeq"])},
                "$max": {"updatedAt": now()},
                "$inc": {"revision": 1},
                "$unset": dict.fromkeys(branches.FIELDS, ""),
            },
            session=tx,
        )
        return job

    return await _with_entities(database, await write_session(database, session_id, attempt))


async def session_to_change(database: Database, scope: Scope, session_id: str, tx: Transaction) -> SessionDocument:
    """Return the whole session, within a transaction that changes it.

    Raises:
        NotFound: the session is not within the scope.
    """
    found = await database.sessions.find_one({"$and": [{"_id": session_id}, scope.sessions()]}, session=tx)
    if found is None:
        message = f"there is no session {shown(session_id)}"
        raise NotFound(message)
    return found


def refuse_unseen(scope: Scope, session: SessionDocument) -> None:
    """Refuse to write to a session, read with `userId`, that is outside the scope.

    Raises:
        Forbidden: the session is outside the scope. The error is the same for a session of another user and of no user.
    """
    if not scope.sees_session(session):
        refuse_other_prefix(scope, session["_id"])
        raise Forbidden("the sessionId is not yours to write to: choose another one")


def refuse_other_prefix(scope: Scope, session_id: str) -> None:
    """Refuse to create a session whose id lacks the caller's prefix.

    The error is the same if such a session exists.

    Raises:
        Forbidden: the id lacks the prefix.
    """
    if not session_id.startswith(scope.session_prefix):
        message = f"the sessionId of a new session must begin with {scope.session_prefix[:_SHOWN]!r}"
        raise Forbidden(message)


def refuse_other_user(session: SessionDocument, user_id: str | None) -> None:
    """Refuse to assign a session, read with `userId`, to another user.

    Raises:
        Conflict: the session belongs to another user.
    """
    if user_id is not None and session.get("userId") not in (None, user_id):
        message = f"session {shown(session['_id'])} belongs to another user: a session's user can't change"
        raise Conflict(message)
