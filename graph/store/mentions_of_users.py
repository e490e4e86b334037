"""Entities of users, which follow those of their sessions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from pymongo import DeleteOne, ReplaceOne

from graph.store.client import aggregate
from graph.store.database import Database
from graph.store.documents import Document
from graph.store.owners import entity_id, rank, user_owner

Moved: TypeAlias = tuple[str, Document | None, Document | None]
"""A session's id, and the document of one of its entities before and after a change."""


async def load(database: Database, keys: Iterable[tuple[str, str]], session: Any) -> dict[str, Document]:
    ids = [entity_id(owner, key) for owner, key in keys]
    found = await database.entities.find({"_id": {"$in": ids}}, session=session).to_list(None)
    return {document["_id"]: document for document in found}


async def follow(database: Database, moved: dict[str, list[Moved]], session: Any) -> None:
    """Make the users' entities follow those of their sessions, which are written already."""
    if not moved:
        return
    owners = {
        (user_owner(user_id), entity["key"])
        for user_id, changes in moved.items()
        for _, old, new in changes
        if (entity := new or old) is not None
    }
    documents: dict[str, Document | None] = dict(await load(database, owners, session))
    touched: dict[str, tuple[str, str]] = {}
    unsure: set[str] = set()
    for user_id, entities in moved.items():
        for change in entities:
            _, old, new = change
            key = (new or old or {}).get("key")
            if key is None:
                continue
            _id = entity_id(user_owner(user_id), key)
            touched[_id] = (user_id, key)
            if _count(documents, _id, (user_id, key), change):
                unsure.add(_id)
    for _id in unsure:
        user_id, key = touched[_id]
        if (document := documents[_id]) is not None and not await _find_ends(database, document, user_id, key, session):
            documents[_id] = None
    await database.entities.bulk_write(
        [
            DeleteOne({"_id": _id})
            if documents.get(_id) is None
            else ReplaceOne({"_id": _id}, documents[_id], upsert=True)  # type: ignore[arg-type]
            for _id in touched
        ],
        ordered=False,
        session=session,
    )


def _count(documents: dict[str, Document | None], _id: str, place: tuple[str, str], change: Moved) -> bool:
    """Count one session's change; True when the first or last mention has to be looked up."""
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


def _new_of_user(user_id: str, key: str) -> Document:
    owner = user_owner(user_id)
    return {"_id": entity_id(owner, key), "owner": owner, "key": key, "label": key.partition(":")[0], "mentionCount": 0}


def _moves_an_end(document: Document, session_id: str, old: Document | None, new: Document | None) -> bool:
    """Whether the session held the user's first or last mention, and may hold it no longer."""
    if old is None:
        return False
    for end, later in (("first", 1), ("last", -1)):
        if document.get(end, {}).get("sessionId") != session_id:
            continue
        if new is None:
            return True
        before, after = old["own"][end], new["own"][end]
        if (after["at"] - before["at"]).total_seconds() * later > 0 or after["name"] != before["name"]:
            return True
    return False


def _stretch(document: Document, session_id: str, new: Document) -> None:
    """Take the session's first and last mention in."""
    first = {"at": new["own"]["first"]["at"], "sessionId": session_id, "name": new["own"]["first"]["name"]}
    last = {"at": new["own"]["last"]["at"], "sessionId": session_id}
    if "first" not in document or _order(first) <= _order(document["first"]):
        document["first"] = first
    if "last" not in document or _order(last) >= _order(document["last"]):
        document["last"] = last
    document["name"] = document["first"]["name"]
    document["firstSeenAt"] = document["first"]["at"]
    document["lastSeenAt"] = document["last"]["at"]


def _order(end: Document) -> tuple[Any, str]:
    return end["at"], end["sessionId"]


async def _find_ends(database: Database, document: Document, user_id: str, key: str, session: Any) -> bool:
    """Look up the first and the last mention among the user's sessions; False when there is none."""
    document.pop("first", None)
    document.pop("last", None)
    for order in ({"own.first.at": 1, "sessionId": 1}, {"own.last.at": -1, "sessionId": -1}):
        found = await aggregate(
            database.entities,
            [{"$match": {"userId": user_id, "key": key}}, {"$sort": order}, {"$limit": 1}],
            session=session,
        )
        for entity in found:
            _stretch(document, entity["sessionId"], entity)
    return "first" in document
