"""Reads of the `messages` collection."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from graph.store.database import Database
from graph.store.documents import Document, EnrichmentState, MessageDocument
from graph.store.driver.answer import read_whole
from graph.store.driver.types import Transaction
from graph.store.entities.reading import keys_by_session
from graph.store.reading.keyset import Listing
from graph.store.reading.metadata import Condition, holds
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.visibility import find_visible
from graph.store.visible import Visible


async def find_messages(
    database: Database, scope: Scope, uuids: Collection[str], fields: Collection[str]
) -> list[MessageDocument]:
    """Return the messages that exist within the scope, in no order, with `fields` and `_id`.

    A message exists as long as its session: the collection may still have messages that are being erased.
    """
    projected = projection({*fields, "_id", "sessionId", "seq"})
    return await find_visible(database, database.messages, scope, uuids, projected, place="seq")


async def find_meant(database: Database, scope: Scope, chosen: str, fields: Collection[str]) -> MessageDocument | None:
    """Return the message within the scope with a caller's uuid, with `fields` and `_id`."""
    possible = scope.possible_uuids(chosen)
    found = {message["_id"]: message for message in await find_messages(database, scope, possible, fields)}
    return next((found[uuid] for uuid in possible if uuid in found), None)


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """The messages to list or find: messages that meet all conditions.

    Attributes:
        roles: only messages with one of these roles.
        names: only messages of one of these speakers.
        since: only messages created at this time or later.
        until: only messages created before this time.
        entity: only messages with an entity that has this name in its session, see `entities.reading.keys_by_session`.
        metadata: conditions on the metadata of the messages.
        session_ids: only messages of one of these sessions.
    """

    roles: Collection[str] | None = None
    names: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    entity: str | None = None
    metadata: tuple[Condition, ...] = ()
    session_ids: Collection[str] | None = None

    def conditions(self, entity_keys: Collection[str] = ()) -> Document:
        """Return the filter of the collection, in addition to the filter of the sessions.

        Args:
            entity_keys: the keys of the named entity in these sessions, if the filter names one.
        """
        conditions: Document = {}
        for field, values in (("role", self.roles), ("name", self.names)):
            if values is not None:
                conditions[field] = {"$in": list(values)}
        if times := {key: time for key, time in (("$gte", self.since), ("$lt", self.until)) if time is not None}:
            conditions["createdAt"] = times
        if self.entity is not None:
            conditions["entities.key"] = {"$in": sorted(entity_keys)}
        if self.metadata:
            conditions["$expr"] = {"$and": [holds(("metadata", *path), value) for path, value in self.metadata]}
        return conditions


ANY_MESSAGE = MessageFilter()


def list_messages(database: Database, visible: Visible) -> Listing:
    """The visible messages of a session, oldest first."""
    return Listing(database.messages, visible.match("seq"), ("seq",), ("sessionId", "seq"))


async def list_messages_meeting(database: Database, visible: Visible, filter_: MessageFilter) -> Listing:
    """Return the visible messages of a session that meet a filter, oldest first."""
    keys: frozenset[str] = frozenset()
    index = ["sessionId", "seq"]
    if filter_.entity is not None:
        of_sessions = await keys_by_session(database, [visible.session_id], filter_.entity)
        keys = of_sessions.get(visible.session_id, keys)
        index.insert(1, "entities.key")
    match = {**visible.match("seq"), **filter_.conditions(keys)}
    return Listing(database.messages, match, ("seq",), index)


async def count_between(database: Database, after: Visible, until: int | None = None) -> int:
    """The number of messages in a part of a session, up to a number."""
    return await database.messages.count_documents(after.match("seq", until))


async def tokens_of(database: Database, visible: Visible) -> int:
    """Return the number of tokens of the messages in a part of a session."""
    total = {"$group": {"_id": None, "tokens": {"$sum": "$tokenCount"}}}
    found = await database.messages.aggregate([{"$match": visible.match("seq")}, total])
    return int(found[0]["tokens"]) if found else 0


async def messages_in_range(
    database: Database,
    visible: Visible,
    fields: Collection[str],
    *,
    last_seq: int | None = None,
    last: int | None = None,
    limit: int | None = None,
) -> list[MessageDocument]:
    """The visible messages of a session, oldest first.

    Args:
        database: the open database.
        visible: the part of the session.
        fields: the paths to read of each message.
        last_seq: the greatest `seq`; None for no bound.
        last: the maximum number, from the end of the range.
        limit: the maximum number, from its beginning.
    """
    if last == 0 or limit == 0:
        return []
    count = last if last is not None else limit
    found: list[MessageDocument] = await read_whole(
        database.messages,
        visible.match("seq", last_seq),
        projection(fields),
        sort=[("seq", -1 if last is not None else 1)],
        limit=count,
    )
    if last is not None:
        found.reverse()
    return found


async def whole_messages(database: Database, visible: Visible, last_seq: int, tx: Transaction) -> list[MessageDocument]:
    """Within a transaction, return the whole visible messages of a session up to a number, oldest first."""
    return await database.messages.find(visible.match("seq", last_seq), sort=[("seq", 1)], session=tx)


async def page_of_messages(
    database: Database, visible: Visible, fields: Collection[str], *, ends: tuple[int, int], skip: int, limit: int
) -> list[MessageDocument]:
    """Return a page of a session's visible messages by offset, oldest first.

    While no message was deleted, the offset determines the `seq`, and any page costs the same.

    Args:
        database: the open database.
        visible: the part of the session.
        fields: the paths to read of each message.
        ends: `messageCount` and `lastSeq` of the session, other branches included.
        skip: the number of messages before the page.
        limit: the maximum number of messages.
    """
    count, last_seq = ends
    if skip >= count or limit == 0:
        return []
    if visible.path is None and last_seq - visible.after_seq == count:
        return await messages_in_range(database, visible.beyond(visible.after_seq + skip), fields, limit=limit)
    following = await database.messages.find_one(visible.match("seq"), {"seq": 1}, sort=[("seq", 1)], skip=skip)
    if following is None:
        return []
    return await messages_in_range(database, visible.beyond(following["seq"] - 1), fields, limit=limit)


async def count_pending(database: Database, visible: Visible, last_seq: int) -> int:
    """The number of visible messages up to `last_seq` that still wait for their entities."""
    return await database.messages.count_documents(
        {**visible.match("seq", last_seq), "enrichment.state": EnrichmentState.PENDING.value}
    )
