"""Reads of entities of sessions, users and persisted memories, and of their matches."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from operator import attrgetter

from graph.store.database import Database
from graph.store.documents import AnyDocument, Document
from graph.store.driver.answer import count_documents
from graph.store.entities.documents import EntityCountDocument
from graph.store.entities.names import normalise_name
from graph.store.entities.owners import HIGHEST_RANK, entity_id, session_owner, user_owner
from graph.store.hidden import hidden_contents
from graph.store.reading.keyset import Listing, Window, page
from graph.store.visible import Visible

MOST = 1_000
"""Maximum entities of one list."""


def list_session_entities(
    database: Database, visible: Visible, *, labels: Collection[str] | None = None, search: str | None = None
) -> Listing:
    """Visible entities of a session whose messages form one line, most mentioned first, equals by their key.

    Args:
        database: the open database.
        visible: the part of the session, without a path.
        labels: only entities with one of these labels.
        search: only names that contain this text, ignoring case.
    """
    # Without a bound, the index alone gives their number.
    bound = {"own.last.seq": {"$gt": visible.after_seq}} if visible.after_seq else {}
    return _list(database, {"owner": session_owner(visible.session_id), **bound}, labels, search)


def list_user_entities(
    database: Database, user_id: str, *, labels: Collection[str] | None = None, search: str | None = None
) -> Listing:
    """Return the entities of a user in the caller's scope, like `list_entities` of a session."""
    return _list(database, {"owner": user_owner(user_id)}, labels, search)


def _list(database: Database, match: Document, labels: Collection[str] | None, search: str | None) -> Listing:
    match["rank"] = {"$lt": HIGHEST_RANK}
    if labels is not None:
        match["label"] = {"$in": list(labels)}
    if search:
        # The key ends with the name in the form that is compared, and is in the index.
        match["key"] = {"$regex": f"^[^:]*:.*{re.escape(normalise_name(search))}", "$options": "s"}
    index = ("owner", "rank", "key") if labels is None else ("owner", "label", "rank", "key")
    return Listing(database.entities, match, ("rank", "key"), index, rename={"scope": "owner"}, shape=as_entity)


def as_entity(document: AnyDocument) -> Document:
    """Return a document of `entities` as the source of an `Entity`."""
    entity = {**document, "keys": document.get("keys", [document["key"]])}
    if "owner" in document:
        entity["scope"] = document["owner"]
    return entity


async def find_session_entity(database: Database, visible: Visible, key: str) -> Document | None:
    """One visible entity of a session; of a short name, the entity that it stands for."""
    found = await _find(database, session_owner(visible.session_id), key)
    return None if found is None or not visible.sees(found["own"]["last"]["seq"]) else as_entity(found)


async def find_user_entity(database: Database, user_id: str, key: str) -> Document | None:
    """One entity of a user who was read within the caller's scope; of a short name, the entity that it stands for."""
    found = await _find(database, user_owner(user_id), key)
    return None if found is None else as_entity(found)


async def _find(database: Database, owner: str, key: str) -> EntityCountDocument | None:
    found = await database.entities.find_one({"_id": entity_id(owner, key)})
    if found is not None and "aliasOf" in found:
        found = await database.entities.find_one({"_id": entity_id(owner, found["aliasOf"])})
    return found


async def keys_by_session(database: Database, session_ids: Sequence[str], name: str) -> dict[str, frozenset[str]]:
    """Return the keys of the entities that have a name, in any case and with any label, by session.

    The keys are of all names of the entity: in a session where "Octavia" stands for "Octavia Butler", either name
    gives both keys. A session without such an entity is left out.

    Args:
        database: the open database.
        session_ids: sessions in the caller's scope.
        name: the name.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for start in range(0, len(session_ids), _SESSIONS_AT_ONCE):
        owners = [session_owner(session_id) for session_id in session_ids[start : start + _SESSIONS_AT_ONCE]]
        match = {"owner": {"$in": owners}, "key": {"$regex": f"^[^:]*:{re.escape(normalise_name(name))}$"}}
        entities = await database.entities.find(match, _NAMES)
        full = [entity_id(entity["owner"], entity["aliasOf"]) for entity in entities if "aliasOf" in entity]
        if full:
            entities += await database.entities.find({"_id": {"$in": full}}, _NAMES)
        for entity in entities:
            found[entity["sessionId"]].update(entity.get("keys", [entity["key"]]))
    return {session_id: frozenset(keys) for session_id, keys in found.items()}


_NAMES = {"owner": 1, "sessionId": 1, "key": 1, "keys": 1, "aliasOf": 1}
_SESSIONS_AT_ONCE = 1_000


def list_messages_that_mention(
    database: Database, visible: Visible, keys: Collection[str], *, last_seq: int | None = None
) -> Listing:
    """The visible messages of a session that mention an entity by one of its keys, oldest first.

    Args:
        database: the open database.
        visible: the part of the session.
        keys: the keys of the entity and of its short names.
        last_seq: the greatest `seq`; None for no bound.
    """
    match = {**visible.match("seq", last_seq), "entities.key": {"$in": list(keys)}}
    return Listing(database.messages, match, ("seq",), ("sessionId", "entities.key", "seq"))


def _with_matches(listing: Listing, keys: Collection[str]) -> Listing:
    """Return the messages of a listing that mention an entity in their content."""
    in_content = {"$elemMatch": {"key": {"$in": list(keys)}, "matches.0": {"$exists": True}}}
    return replace(listing, match={**listing.match, "entities": in_content})


def list_messages(database: Database, uuids: Sequence[str]) -> Listing:
    """These messages of one session, oldest first."""
    return Listing(database.messages, {"_id": {"$in": list(uuids)}}, ("seq",), ("_id",))


async def list_messages_of_user_that_mention(database: Database, entity: Document) -> Listing:
    """The messages of all of a user's sessions that mention an entity, in the order in which they were added.

    No index has this order: the mentions are sorted, of which there are as many as `mentionCount` says.
    """
    sessions = await database.entities.distinct("sessionId", _of_user(entity))
    match: Document = {"sessionId": {"$in": sessions}, "entities.key": entity["key"]}
    if hidden := await hidden_contents(database, sessions):
        match["$nor"] = [hidden]
    return Listing(database.messages, match, ("createdAt", "_id"), ("sessionId", "entities.key", "seq"))


def _of_user(entity: Document) -> Document:
    return {"userId": entity["scope"].partition(":")[2], "key": entity["key"]}


def list_sessions_that_mention(database: Database, entity: Document) -> Listing:
    """A user's sessions that mention an entity, the earliest first, as documents with `sessionId`."""
    keys = ("own.first.at", "sessionId")

    def shape(found: Document) -> Document:
        return {"sessionId": found["sessionId"], keys[0]: found["own"]["first"]["at"]}

    return Listing(database.entities, _of_user(entity), keys, ("userId", "key", *keys), shape=shape)


async def mentions(database: Database, entity: Document, *, first: int | None = None) -> list[Document]:
    """The matches of an entity in order of appearance, at most `MOST`, each with `messageId`."""
    return (await mentions_of_all(database, [(entity, first)]))[0]


async def mentions_of_all(database: Database, asked: Sequence[tuple[Document, int | None]]) -> list[list[Document]]:
    """The matches of several entities, as `mentions` returns the matches of one entity.

    Entities of one session, on one path, are read together. If the read does not find all, in a session with very many
    messages, the others are read one by one.
    """
    found: list[list[Document] | None] = [None] * len(asked)
    by_part: defaultdict[Visible, list[int]] = defaultdict(list)
    for number, (entity, _) in enumerate(asked):
        if "sessionId" in entity:
            by_part[replace(Visible.of_entity(entity), after_seq=0)].append(number)
    for numbers in by_part.values():
        if len(numbers) > 1:
            together = [asked[number] for number in numbers]
            for number, matches in zip(numbers, await _read_together(database, together), strict=True):
                found[number] = matches
    return [
        await _read(database, *asked[number]) if matches is None else matches for number, matches in enumerate(found)
    ]


def _limit(first: int | None) -> int:
    return MOST if first is None else min(first, MOST)


async def _read_together(
    database: Database, asked: Sequence[tuple[Document, int | None]]
) -> list[list[Document] | None]:
    keys = sorted({key for entity, _ in asked for key in entity["keys"]})
    parts = [Visible.of_entity(entity) for entity, _ in asked]
    listing = list_messages_that_mention(database, min(parts, key=attrgetter("after_seq")), keys)
    messages = (await page(listing, Window(_TOGETHER), _MENTIONING, whole=True)).items
    results: list[list[Document] | None] = []
    for visible, (entity, first) in zip(parts, asked, strict=True):
        limit = _limit(first)
        reach = entity.get("lastSeq", math.inf)
        matches = [
            match
            for message in messages
            if visible.sees(message["seq"]) and message["seq"] <= reach
            for match in _matches(message, entity["keys"])
        ]
        whole = len(messages) < _TOGETHER or len(matches) >= limit
        results.append(matches[:limit] if whole else None)
    return results


async def _read(database: Database, entity: Document, first: int | None) -> list[Document]:
    limit = _limit(first)
    if limit == 0:
        return []
    if "sessionId" in entity:
        visible = Visible.of_entity(entity)
        listing = list_messages_that_mention(database, visible, entity["keys"], last_seq=entity.get("lastSeq"))
    else:
        listing = await list_messages_of_user_that_mention(database, entity)
    listing = _with_matches(listing, entity["keys"])
    messages = (await page(listing, Window(limit), _MENTIONING, whole=True)).items
    return [match for message in messages for match in _matches(message, entity["keys"])][:limit]


_MENTIONING = ("_id", "seq", "entities")
_TOGETHER = 2_000  # messages


def _matches(message: Document, keys: Collection[str]) -> list[Document]:
    matches = [
        {**match, "messageId": message["_id"]}
        for entity in message["entities"]
        if entity["key"] in keys
        for match in entity["matches"]
    ]
    return sorted(matches, key=lambda match: (match["start"], match["end"]))


_IS_MATCH = {"$cond": [{"$isNumber": "$place"}, 1, 0]}
_IN_TOOLS = {"$cond": [{"$in": ["$place", [0, None]]}, {"$ifNull": ["$entities.inTools", 0]}, 0]}
"""The mentions in tools, once for each message."""
_ONLY_MATCHES = {"$filter": {"input": "$matches", "cond": {"$isNumber": "$$this.start"}}}


async def entities_in_range(
    database: Database,
    visible: Visible,
    scope: str,
    *,
    labels: Sequence[str] | None = None,
    last_seq: int | None = None,
    limit: int = MOST,
) -> list[Document]:
    """The entities of the messages of a persisted memory, merged by their key, most mentioned first.

    Each has `scope`, `key`, `name`, `label`, `mentionCount`, `firstSeenAt`, `lastSeenAt`, `messageIds`, and `matches`,
    which have `messageId`.
    """
    found = await database.messages.aggregate(
        [
            {"$match": visible.match("seq", last_seq)},
            {"$sort": {"seq": 1}},
            {"$unwind": "$entities"},
            *([] if labels is None else [{"$match": {"entities.label": {"$in": list(labels)}}}]),
            {
                "$unwind": {
                    "path": "$entities.matches",
                    "includeArrayIndex": "place",
                    "preserveNullAndEmptyArrays": True,  # mentioned in tools alone
                }
            },
            {
                "$group": {
                    "_id": "$entities.key",
                    "name": {"$first": "$entities.name"},
                    "label": {"$first": "$entities.label"},
                    "mentionCount": {"$sum": {"$add": [_IS_MATCH, _IN_TOOLS]}},
                    "firstSeenAt": {"$first": "$createdAt"},
                    "lastSeenAt": {"$last": "$createdAt"},
                    "messageIds": {"$addToSet": "$_id"},
                    "matches": {
                        "$firstN": {
                            "input": {"$mergeObjects": ["$entities.matches", {"messageId": "$_id"}]},
                            "n": 2 * MOST,  # a message adds at most one null, and a memory has at most 1,000 messages
                        }
                    },
                }
            },
            {"$set": {"matches": {"$slice": [_ONLY_MATCHES, MOST]}}},
            {"$sort": {"mentionCount": -1, "_id": 1}},
            {"$limit": limit},
            {"$set": {"key": "$_id", "scope": {"$literal": scope}}},
        ],
    )
    count_documents(found)
    return found
