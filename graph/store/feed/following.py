"""Reads for subscribers: the stored part of a source, causally after the received events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from graph.store.database import Database
from graph.store.documents import DeletionKind, Document, MessageDocument, SessionDocument
from graph.store.driver.collection import AnyCollection
from graph.store.feed.changes import Moment, causally_after
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.visible import Visible, visible_by_id

PAGE = 100
"""Maximum documents of one read of a follower."""
PAGE_BYTES = 1_048_576
"""Maximum bytes of one read as BSON, unless a single document is larger."""


Position: TypeAlias = tuple[Any, ...]
"""The place of a document in the order of a listing: its keys."""


@dataclass(frozen=True, slots=True)
class Item:
    """A document and its position, which was read earlier and may differ from the document's current one."""

    position: Position
    document: Document


@dataclass(frozen=True, slots=True)
class Page:
    """Documents in the order of an index.

    Attributes:
        items: the documents, without invisible ones and those deleted during the read.
        size: bytes of the documents, as BSON.
        end: the position before the next page; None after the last page.
    """

    items: list[Item]
    size: int
    end: Position | None


_FIRST = datetime.min.replace(tzinfo=UTC)


def earlier(time: datetime, by: timedelta) -> datetime:
    """Return a time less an interval, or the first time that there is."""
    return max(time, _FIRST + by) - by


_STATE = frozenset({"uuid", "userId", "lastSeq", "revision", "createdAt", "updatedAt"})


async def session_state(database: Database, session_id: str, after: Moment | None = None) -> SessionDocument | None:
    """Return a session in any scope, with `_STATE` and `Visible.FIELDS`."""
    async with causally_after(database.client, after) as tx:
        found = await database.sessions.find_one(
            {"_id": session_id}, projection({*_STATE, *Visible.FIELDS}), session=tx
        )
    return found


async def messages_by_id(
    database: Database, uuids: Collection[str], after: Moment | None
) -> dict[str, MessageDocument]:
    """Whole messages, by uuid, without regard to scope; messages that are being erased are left out."""
    async with causally_after(database.client, after) as tx:
        found = await database.messages.find({"_id": {"$in": list(uuids)}}, session=tx)
        ids = list({message["sessionId"] for message in found})
        sessions = await database.sessions.find({"_id": {"$in": ids}}, projection(Visible.FIELDS), session=tx)
    parts = visible_by_id(sessions)
    return {
        message["_id"]: message
        for message in found
        if (part := parts.get(message["sessionId"])) is not None and part.sees(message["seq"])
    }


async def sessions_by_id(
    database: Database, session_ids: Collection[str], after: Moment | None
) -> list[SessionDocument]:
    """Whole sessions, without regard to scope."""
    async with causally_after(database.client, after) as tx:
        found = await database.sessions.find({"_id": {"$in": list(session_ids)}}, session=tx)
    return found


async def message_of(
    database: Database, visible: Visible, uuid: str, seq: int, after: Moment | None
) -> MessageDocument | None:
    """The whole message with a uuid and a number, if it is visible."""
    if not visible.sees(seq):
        return None
    async with causally_after(database.client, after) as tx:
        found = await database.messages.find_one({"_id": uuid, "sessionId": visible.session_id, "seq": seq}, session=tx)
    return found


async def pieces_after(database: Database, visible: Visible, seq: int, index: int, *, after: Moment | None) -> Page:
    """Return the documents of the pieces of a message after an index, in order; the first may begin before the index.

    The pieces of an invisible message are being erased.
    """
    wanted = {**visible.match("seq"), "index": {"$gt": index}}
    wanted["seq"] = seq if visible.sees(seq) else {"$in": []}
    return await _page(database, database.pieces, wanted, ("index",), None, after=after)


async def messages_after(
    database: Database, visible: Visible, *, after: Moment | None, until: int | None = None
) -> Page:
    """The whole visible messages of a session, oldest first.

    Args:
        database: the open database.
        visible: the part of the session.
        after: reads causally after this moment.
        until: the last `seq`.
    """
    return await _page(database, database.messages, visible.match("seq", until), ("seq",), None, after=after)


async def time_of_revision(database: Database, session: SessionDocument, revision: int) -> datetime:
    """Return the time at which a session got a revision, or an earlier one: of the add before, or of its start."""
    if revision >= session.get("revision", 0):
        return session["updatedAt"]  # no other change moves it
    memory = await database.memories.find_one(
        {"sessionId": session["_id"], "sessionRevision": {"$lte": revision}},
        projection({"createdAt"}),
        sort=[("sessionRevision", -1)],
    )
    return session["createdAt"] if memory is None else memory["createdAt"]


async def messages_edited_since(
    database: Database, visible: Visible, revision: int, position: Position | None, *, after: Moment | None
) -> Page:
    """Visible messages whose last edit is after a revision of the session, in the order of the edits.

    The next page begins after a position.
    """
    match = {
        "sessionId": visible.session_id,
        "sessionRevision": {"$gt": revision},
        "editedAt": {"$exists": True},
    }
    page = await _page(database, database.messages, match, ("sessionRevision", "seq"), position, after=after)
    return _seen(visible, page)


async def messages_enriched_since(
    database: Database, visible: Visible, since: datetime, position: Position | None, *, after: Moment | None
) -> Page:
    """Visible messages whose enrichment ended since a time, in the order of that."""
    match = {"sessionId": visible.session_id, "enrichment.at": {"$gte": since}}
    page = await _page(database, database.messages, match, ("enrichment.at", "seq"), position, after=after)
    return _seen(visible, page)


def _seen(visible: Visible, page: Page) -> Page:
    # A bound on `seq`, the second key of the order, would not shorten the scan of the index.
    return replace(page, items=[item for item in page.items if visible.sees(item.document["seq"])])


async def sessions_changed_since(
    database: Database,
    scope: Scope,
    user_id: str | None,
    since: datetime,
    position: Position | None,
    *,
    after: Moment | None,
) -> Page:
    """The sessions within the scope that changed since a time, in the order of that."""
    match = {**_of_user(scope, user_id), "updatedAt": {"$gte": since}}
    return await _page(database, database.sessions, match, ("updatedAt", "_id"), position, after=after)


async def messages_deleted_since(
    database: Database, session_id: str, revision: int, position: Position | None, *, after: Moment | None
) -> Page:
    """The tombstones of messages, and of all contents, that a session lost after a revision, in that order."""
    match = {"sessionId": session_id, "sessionRevision": {"$gt": revision}}
    return await _page(database, database.deletions, match, ("sessionRevision", "_id"), position, after=after)


async def sessions_deleted_since(
    database: Database,
    scope: Scope,
    user_id: str | None,
    since: datetime,
    position: Position | None,
    *,
    after: Moment | None,
) -> Page:
    """The tombstones of the sessions within the scope that were deleted since a time, in the order of that."""
    match = {"kind": DeletionKind.SESSION.value, **_of_user(scope, user_id), "at": {"$gte": since}}
    return await _page(database, database.deletions, match, ("at", "_id"), position, after=after)


def _of_user(scope: Scope, user_id: str | None) -> Mapping[str, object]:
    """The filter for the documents of a user, or of all users within the scope; no document is of a user outside."""
    if user_id is None:
        return scope.sessions()
    return {"userId": user_id if scope.user_id in (None, user_id) else {"$in": []}}


async def _page(
    database: Database,
    collection: AnyCollection,
    match: Mapping[str, object],
    keys: Sequence[str],
    position: Position | None,
    *,
    after: Moment | None,
) -> Page:
    """The documents that come next by an index whose last keys are `keys`.

    Their sizes are read first, since a hundred documents may be 3 KB or 1.6 GB.
    """
    async with causally_after(database.client, after) as tx:
        listed: list[Document] = await collection.find(
            _beyond(match, keys, position),
            {**dict.fromkeys(keys, 1), "bytes": {"$bsonSize": "$$ROOT"}},
            sort=[(key, 1) for key in keys],
            limit=PAGE,
            batch_size=PAGE + 1,
            session=tx,
        )
        chosen = _within_a_page(listed)
        if not chosen:
            return Page([], 0, None)
        ids = [document["_id"] for document in chosen]
        # With the session's id, so that one shard is asked.
        within = {name: match[name] for name in ("sessionId",) if name in match}
        found = await collection.find({"_id": {"$in": ids}, **within}, batch_size=PAGE + 1, session=tx)
    documents = {document["_id"]: document for document in found}
    end = None
    if len(chosen) < len(listed) or len(listed) == PAGE:
        end = _position(chosen[-1], keys)
    items = [
        Item(_position(document, keys), documents[document["_id"]])
        for document in chosen
        if document["_id"] in documents
    ]
    return Page(items, sum(document["bytes"] for document in chosen), end)


def _within_a_page(listed: list[Document]) -> list[Document]:
    total = 0
    for count, document in enumerate(listed):
        total += document["bytes"]
        if total > PAGE_BYTES and count:
            return listed[:count]
    return listed


def _beyond(match: Mapping[str, object], keys: Sequence[str], position: Position | None) -> Document:
    """Return the filter of `match` after a position: two ranges of the index, which MongoDB merges in order."""
    if position is None:
        return dict(match)
    first, second = keys
    return {
        "$or": [
            {**match, first: position[0], second: {"$gt": position[1]}},
            {**match, first: {"$gt": position[0]}},
        ]
    }


def _position(document: Document, keys: Sequence[str]) -> Position:
    return tuple(_value(document, key) for key in keys)


def _value(document: Document, path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = value[part]
    return value
