"""Reading entities: what a session, a user or a persisted memory mentions, and where."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from graph.store.client import aggregate, translated_errors
from graph.store.database import Database
from graph.store.documents import Document
from graph.store.keyset import Listing
from graph.store.mentions import forget_session, forget_user, give_to_user, replace_all
from graph.store.names import normalise_name
from graph.store.owners import HIGHEST_RANK, entity_id

__all__ = ["forget_session", "forget_user", "give_to_user", "replace_all"]

MOST = 1_000
"""Entities that one list holds."""


async def replace_mentions(database: Database, old: Document | None, new: Document | None, session: Any) -> None:
    """Make the entities of a message's session and user follow a change of the message, within its transaction.

    Args:
        database: the open database.
        old: the message before, with `_id`, `sessionId`, `seq`, `createdAt` and `entities`; None for a new one.
        new: the message after; None when it is deleted.
        session: the driver session of the transaction.
    """
    await replace_all(database, [(old, new)], session)


def list_entities(
    database: Database, owner: str, *, labels: Collection[str] | None = None, search: str | None = None
) -> Listing:
    """Entities of a session or a user, most mentioned first, equals by their key.

    Args:
        database: the open database.
        owner: `session_owner` or `user_owner` of one that the caller has been found to see.
        labels: only these.
        search: only names that contain this text, whatever its case.
    """
    match: Document = {"owner": owner, "rank": {"$lt": HIGHEST_RANK}}
    if labels is not None:
        match["label"] = {"$in": list(labels)}
    if search:
        # The key ends with the name in the form that is compared, and is in the index.
        match["key"] = {"$regex": f"^[^:]*:.*{re.escape(normalise_name(search))}", "$options": "s"}
    index = ("owner", "rank", "key") if labels is None else ("owner", "label", "rank", "key")
    return Listing(database.entities, match, ("rank", "key"), index, shape=as_entity)


READ = ("owner", "key", "keys", "sessionId", "firstSeq", "firstSeenAt")
"""What a document of `entities` is read with beside what is selected, for `as_entity` and `mentions`."""


def as_entity(document: Document) -> Document:
    """A document of `entities` as the source of an `Entity`."""
    return {**document, "scope": document["owner"], "keys": document.get("keys", [document["key"]])}


async def find_entity(database: Database, owner: str, key: str) -> Document | None:
    """One entity of a session or a user that the caller has been found to see; of a short name, what it stands for."""
    with translated_errors():
        found: Document | None = await database.entities.find_one({"_id": entity_id(owner, key)})
        if found is not None and "aliasOf" in found:
            found = await database.entities.find_one({"_id": entity_id(owner, found["aliasOf"])})
    return None if found is None else as_entity(found)


async def messages_that_mention(
    database: Database,
    session_id: str,
    keys: Sequence[str],
    fields: Collection[str],
    *,
    first_seq: int = 1,
    last_seq: int | None = None,
    limit: int = MOST,
) -> list[Document]:
    """A session's messages that mention any of the keys, oldest first."""
    bounds: Document = {"$gte": first_seq} if last_seq is None else {"$gte": first_seq, "$lte": last_seq}
    with translated_errors():
        found: list[Document] = await database.messages.find(
            {"sessionId": session_id, "entities.key": {"$in": list(keys)}, "seq": bounds},
            dict.fromkeys({*fields, "_id", "seq"}, 1),
            sort=[("seq", 1)],
            limit=limit,
            batch_size=limit + 1,
        ).to_list(None)
    return found


def list_sessions_that_mention(database: Database, user_id: str, key: str) -> Listing:
    """A user's sessions that mention an entity, the earliest first, as documents with `sessionId` and `own`."""
    return Listing(
        database.entities,
        {"userId": user_id, "key": key},
        ("own.first.at", "sessionId"),
        ("userId", "key", "own.first.at", "sessionId"),
    )


async def mentions(
    database: Database, entity: Document, *, first: int | None = None, last_seq: int | None = None
) -> list[Document]:
    """The matches of a session's or user's entity in order of appearance, at most `MOST`, each with `messageId`."""
    limit = MOST if first is None else min(first, MOST)
    if limit == 0:
        return []
    keys = entity["keys"]
    fields = ("entities", "createdAt")
    if "sessionId" in entity:
        found = await messages_that_mention(
            database,
            entity["sessionId"],
            keys,
            fields,
            first_seq=entity["firstSeq"],
            last_seq=last_seq,
            limit=limit,
        )
    else:
        found = await _messages_of_user(database, entity, fields, limit)
    return [match for message in found for match in _matches(message, keys)][:limit]


async def _messages_of_user(
    database: Database, entity: Document, fields: Collection[str], limit: int
) -> list[Document]:
    """The first messages of all the user's sessions that mention an entity, in the order in which they were added."""
    user_id = entity["owner"].partition(":")[2]
    # Of the first so many mentions, each is in one of the first so many sessions that mention it.
    with translated_errors():
        sessions = await database.entities.find(
            {"userId": user_id, "key": entity["key"]},
            {"sessionId": 1},
            sort=[("own.first.at", 1), ("sessionId", 1)],
            limit=limit,
        ).to_list(None)
        return await aggregate(
            database.messages,
            [
                {
                    "$match": {
                        "sessionId": {"$in": [session["sessionId"] for session in sessions]},
                        "entities.key": entity["key"],
                    }
                },
                {"$sort": {"createdAt": 1, "sessionId": 1, "seq": 1}},
                {"$limit": limit},
                {"$project": dict.fromkeys(fields, 1)},
            ],
        )


def _matches(message: Document, keys: Collection[str]) -> list[Document]:
    matches = [
        {**match, "messageId": message["_id"]}
        for entity in message["entities"]
        if entity["key"] in keys
        for match in entity["matches"]
    ]
    return sorted(matches, key=lambda match: (match["start"], match["end"]))


async def entities_in_range(
    database: Database,
    session_id: str,
    scope: str,
    *,
    labels: Sequence[str] | None = None,
    first_seq: int = 1,
    last_seq: int | None = None,
) -> list[Document]:
    """The entities of the messages of a persisted memory, merged by their key, most mentioned first.

    Each has `scope`, `key`, `name`, `label`, `mentionCount`, `firstSeenAt`, `lastSeenAt` and `matches`, which have
    `messageId`.
    """
    bounds = {"$gte": first_seq} if last_seq is None else {"$gte": first_seq, "$lte": last_seq}
    with translated_errors():
        return await aggregate(
            database.messages,
            [
                {"$match": {"sessionId": session_id, "seq": bounds}},
                {"$sort": {"seq": 1}},
                {"$unwind": "$entities"},
                *([] if labels is None else [{"$match": {"entities.label": {"$in": list(labels)}}}]),
                {"$unwind": "$entities.matches"},
                {
                    "$group": {
                        "_id": "$entities.key",
                        "name": {"$first": "$entities.name"},
                        "label": {"$first": "$entities.label"},
                        "mentionCount": {"$sum": 1},
                        "firstSeenAt": {"$first": "$createdAt"},
                        "lastSeenAt": {"$last": "$createdAt"},
                        "matches": {"$push": {"$mergeObjects": ["$entities.matches", {"messageId": "$_id"}]}},
                    }
                },
                {"$sort": {"mentionCount": -1, "_id": 1}},
                {"$limit": MOST},
                {"$set": {"key": "$_id", "scope": {"$literal": scope}}},
            ],
        )
