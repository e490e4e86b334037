"""Entities of users, updated with the entities of their sessions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TypeAlias

from graph.store.database import Database
from graph.store.driver.types import DeleteOne, ReplaceOne, Transaction
from graph.store.entities.documents import EntityCountDocument, UserMentionPlace
from graph.store.entities.owners import entity_id, rank, user_owner

Moved: TypeAlias = tuple[str, EntityCountDocument | None, EntityCountDocument | None]
"""A session's id, and the document of one of its entities before and after a change."""


_AT_ONCE = 1_000  # entities that are looked up together


async def load(database: Database, keys: Iterable[tuple[str, str]], tx: Transaction) -> dict[str, EntityCountDocument]:
    ids = [entity_id(owner, key) for owner, key in keys]
    found = await database.entities.find({"_id": {"$in": ids}}, session=tx)
    return {document["_id"]: document for document in found}


async def follow(database: Database, moved: dict[str, list[Moved]], tx: Transaction) -> None:
    """Update the users' entities after the entities of their sessions, which are written already."""
    owners = {
        (user_owner(user_id), entity["key"])
        for user_id, changes in moved.items()
        for _, old, new in changes
        if (entity := new or old) is not None
    }
    if not owners:
        return
    documents: dict[str, EntityCountDocument | None] = dict(await load(database, owners, tx))
    touched: set[str] = set()
    unsure: defaultdict[str, list[str]] = defaultdict(list)
    for user_id, entities in moved.items():
        for change in entities:
            _, old, new = change
            if (entity := new or old) is None:
                continue
            key = entity["key"]
            _id = entity_id(user_owner(user_id), key)
            touched.add(_id)
            if _count(documents, _id, (user_id, key), change):
                unsure[user_id].append(key)
    for user_id, keys in unsure.items():
        for first in range(0, len(keys), _AT_ONCE):
            await _find_ends(database, documents, user_id, set(keys[first : first + _AT_ONCE]), tx)
    await database.entities.bulk_write(
        [
            DeleteOne({"_id": _id})
            if (document := documents.get(_id)) is None
            else ReplaceOne({"_id": _id}, document, upsert=True)
            for _id in touched
        ],
        ordered=False,
        session=tx,
    )


def _count(documents: dict[str, EntityCountDocument | None], _id: str, place: tuple[str, str], change: Moved) -> bool:
    """Count one session's change; return whether the first or last mention must be looked up."""
    session_id, old, new = change
    document = documents.get(_id)
    count = (new["own"]["count"] if new else 0) - (old["own"]["count"] if old else 0)
    total = (document["mentionCount"] if document else 0) + count
    if total <= 0:
        documents[_id] = None
        return False
    if document is None:
        document = documents[_id] = _new_of_user(*place)
    document["mentionCount"] = total
    document["rank"] = rank(total)
    if _moves_an_end(document, session_id, old, new):
        return True
    if new is not None:
        _stretch(document, session_id, new)
    return False


def _new_of_user(user_id: str, key: str) -> EntityCountDocument:
    owner = user_owner(user_id)
    return {"_id": entity_id(owner, key), "owner": owner, "key": key, "label": key.partition(":")[0], "mentionCount": 0}


def _moves_an_end(
    document: EntityCountDocument, session_id: str, old: EntityCountDocument | None, new: EntityCountDocument | None
) -> bool:
    """Whether the session had the user's first or last mention, and may have lost it."""
    if old is None:
        return False
    own, changed = old["own"], None if new is None else new["own"]
    first = _is_in(document.get("first"), session_id) and (
        changed is None
        or changed["first"]["at"] > own["first"]["at"]
        or changed["first"]["name"] != own["first"]["name"]
    )
    return first or (
        _is_in(document.get("last"), session_id)
        and (
            changed is None
            or changed["last"]["at"] < own["last"]["at"]
            or changed["last"]["name"] != own["last"]["name"]
        )
    )


def _is_in(end: UserMentionPlace | None, session_id: str) -> bool:
    return end is not None and end["sessionId"] == session_id


def _stretch(document: EntityCountDocument, session_id: str, new: EntityCountDocument) -> None:
    """Extend the user's first and last mention by the session's."""
    first: UserMentionPlace = {
        "at": new["own"]["first"]["at"],
        "sessionId": session_id,
        "name": new["own"]["first"]["name"],
    }
    last: UserMentionPlace = {"at": new["own"]["last"]["at"], "sessionId": session_id}
    if "first" not in document or _order(first) <= _order(document["first"]):
        document["first"] = first
    if "last" not in document or _order(last) >= _order(document["last"]):
        document["last"] = last
    _end_with(document, document["first"], document["last"])


def _order(end: UserMentionPlace) -> tuple[datetime, str]:
    return end["at"], end["sessionId"]


async def _find_ends(
    database: Database,
    documents: dict[str, EntityCountDocument | None],
    user_id: str,
    keys: Collection[str],
    tx: Transaction,
) -> None:
    """Look up the first and the last mention of entities in the user's sessions; None for entities without mentions."""
    owner = user_owner(user_id)
    found = await database.entities.aggregate(
        [
            {"$match": {"userId": user_id, "key": {"$in": list(keys)}}},
            {
                # Documents compare by their fields in order: by time, and then by session.
                "$group": {
                    "_id": "$key",
                    "first": {"$min": {"at": "$own.first.at", "sessionId": "$sessionId", "name": "$own.first.name"}},
                    "last": {"$max": {"at": "$own.last.at", "sessionId": "$sessionId"}},
                }
            },
        ],
        session=tx,
    )
    ends = {group["_id"]: group for group in found}
    for key in keys:
        _id = entity_id(owner, key)
        document = documents.get(_id)
        if document is None:
            continue
        if key in ends:
            _end_with(document, ends[key]["first"], ends[key]["last"])
        else:
            documents[_id] = None


def _end_with(document: EntityCountDocument, first: UserMentionPlace, last: UserMentionPlace) -> None:
    document["first"], document["last"] = first, last
    document["name"] = first["name"]
    document["firstSeenAt"], document["lastSeenAt"] = first["at"], last["at"]
