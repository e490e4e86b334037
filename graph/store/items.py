"""The `items` collection: JSON objects of a user, by namespace and key.

A namespace is a list of labels. It is stored as one text, in which the character U+0000 follows each label: no label
has this character, so the namespaces that begin with some labels are one range of an index.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from graph.errors import Conflict, Forbidden, TooCostly, shown
from graph.store import users
from graph.store.database import Database
from graph.store.documents import Document, JSONObject, new_uuid, now
from graph.store.driver.answer import read_whole
from graph.store.driver.client import CODEC
from graph.store.driver.types import DeleteOne, ReplaceOne, Transaction, UpdateOne, Write
from graph.store.item_documents import NEVER, ItemDocument, ItemText
from graph.store.reading.keyset import Listing
from graph.store.reading.metadata import Condition, holds
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.writes import write, write_of_user

MAX_ITEMS: Final = 10_000
"""Maximum items of a user."""
_END = "\0"
_AFTER_END = "\1"
_INDEX: Final = ("userId", "path", "key", "expiresAt")
_AT_ONCE = 1_000

Place = tuple[str, str]
"""The path of an item's namespace, and its key."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to store, checked.

    Attributes:
        ttl: minutes until the expiry, from each write and renewal; None for no such time.
        expires_at: the time of the expiry; None for the one by `ttl`, if any.
        index: the paths to the texts by which a search finds the item; None for the whole value.
        texts: the facts of these texts.
        layout: the version of their terms.
        model: the model of their vectors; None for no vectors.
        expected_revision: the revision of the stored item, 0 for no item; None for any.
    """

    namespace: Sequence[str]
    key: str
    value: JSONObject
    ttl: float | None
    expires_at: datetime | None
    index: Sequence[str] | None
    texts: Sequence[ItemText] = ()
    layout: int = 0
    model: str | None = None
    expected_revision: int | None = None

    @property
    def place(self) -> Place:
        """Return its place among the items of a user."""
        return path_of(self.namespace), self.key


@dataclass(frozen=True, slots=True)
class ItemSelection:
    """Items of a user, checked.

    Attributes:
        prefix: the first labels of their namespaces.
        conditions: conditions on their values.
    """

    user_id: str
    prefix: Sequence[str] = ()
    conditions: Sequence[Condition] = ()


def path_of(namespace: Sequence[str]) -> str:
    """Return a namespace as one text."""
    return "".join(label + _END for label in namespace)


def labels_of(path: str) -> list[str]:
    """Return the labels of a namespace."""
    return path.split(_END)[:-1]


def is_owner(scope: Scope, user_id: str) -> bool:
    """Whether the items of a user are within the scope."""
    return scope.user_id in (None, user_id)


def list_items(database: Database, scope: Scope, chosen: ItemSelection) -> Listing:
    """Return the selected items within the scope, in the order of namespaces and keys."""
    return Listing(database.user_items, _matching(scope, chosen), ("path", "key"), _INDEX)


def _matching(scope: Scope, chosen: ItemSelection) -> Document:
    user_id = chosen.user_id
    match: Document = {"userId": user_id if is_owner(scope, user_id) else {"$in": []}, "expiresAt": {"$gt": now()}}
    if chosen.prefix:
        path = path_of(chosen.prefix)
        match["path"] = {"$gte": path, "$lt": path[: -len(_END)] + _AFTER_END}
    if chosen.conditions:
        match["$expr"] = {"$and": [holds(("value", *path), compared) for path, compared in chosen.conditions]}
    return match


async def find_item(
    database: Database, scope: Scope, user_id: str, place: Place, fields: Collection[str]
) -> ItemDocument | None:
    """Return an item of a user; None if the user has no such item, or is outside the scope."""
    path, key = place
    match = {**_matching(scope, ItemSelection(user_id)), "path": path, "key": key}
    found = await read_whole(database.user_items, match, projection({*fields, "_id"}), limit=1)
    return found[0] if found else None


async def find_items(
    database: Database, scope: Scope, ids: Collection[str], fields: Collection[str]
) -> list[ItemDocument]:
    """Return the items with these uuids within the scope, in no order, with `fields`, `_id` and `userId`."""
    match: Document = {"_id": {"$in": list(ids)}, "expiresAt": {"$gt": now()}}
    if scope.user_id is not None:
        match["userId"] = scope.user_id
    return await read_whole(database.user_items, match, projection({*fields, "_id", "userId"}), limit=max(1, len(ids)))


async def namespaces(database: Database, scope: Scope, user_id: str, prefix: Sequence[str] = ()) -> list[str]:
    """Return the paths of the namespaces with a prefix in which a user has items, in order.

    Raises:
        TooCostly: the paths, which are all counted, do not fit into the answer.
    """
    match = _matching(scope, ItemSelection(user_id, prefix))
    pipeline = [{"$match": match}, {"$group": {"_id": "$path"}}]
    found = await database.user_items.aggregate_at_once(pipeline, CODEC, most=MAX_ITEMS)
    return sorted((group["_id"] for group in found), key=str.encode)


async def has_namespace(database: Database, scope: Scope, user_id: str, path: str) -> bool:
    """Whether a user has items within the scope in namespaces that begin with a path of at least one label."""
    match = _matching(scope, ItemSelection(user_id, labels_of(path)))
    fields = {"_id": 0, "path": 1}
    return bool(await read_whole(database.user_items, match, fields, limit=1, hint=[(name, 1) for name in _INDEX]))


async def searched_items(
    database: Database, scope: Scope, chosen: ItemSelection
) -> AsyncGenerator[list[ItemDocument], None]:
    """Yield the selected items within the scope in lists, with the facts of their texts."""
    match = _matching(scope, chosen)
    fields = projection({"_id", "texts", "layout", "model", "createdAt", "revision"})
    async with aclosing(database.user_items.batches(match, fields, size=_AT_ONCE)) as batches:
        async for found in batches:
            yield found


async def keep_texts(database: Database, scope: Scope, found: Sequence[ItemDocument]) -> None:
    """Store the facts of the texts of items that have not changed since they were read within the scope."""
    own = {} if scope.user_id is None else {"userId": scope.user_id}
    writes: list[Write] = [
        UpdateOne(
            {"_id": item["_id"], "revision": item["revision"], **own},
            {"$set": {name: item[name] for name in ("texts", "layout", "model") if name in item}},
        )
        for item in found
    ]
    if writes:
        await database.user_items.bulk_write(writes, ordered=False)


async def put_items(database: Database, scope: Scope, user_id: str, new: Sequence[NewItem]) -> list[ItemDocument]:
    """Store items of a user, who is created if missing, each in place of the one at its place; all or no item.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        user_id: the user.
        new: the items, at different places.

    Raises:
        Conflict: a stored item has another revision than expected.
        Forbidden: the user is outside the scope.
        TooCostly: the user would have more items than a user may have.
        Unavailable: other writers kept this writer out until the deadline, and nothing is stored.
    """
    if not is_owner(scope, user_id):
        raise Forbidden("userId must be your own")

    async def attempt(tx: Transaction) -> list[ItemDocument]:
        at = now()
        await users.hold_user(database, user_id, at, tx)
        stored = await _stored(database, user_id, [item.place for item in new], tx)
        expired = [item for item in stored.values() if item["expiresAt"] <= at]
        for item in expired:
            del stored[item["path"], item["key"]]
        items = [_document(user_id, item, stored.get(item.place), at) for item in new]
        added = sum(item.place not in stored for item in new)
        if added:
            await make_room(database, user_id, added, at, tx)
        writes: list[Write] = [DeleteOne({"_id": item["_id"]}) for item in expired]
        writes += [ReplaceOne({"_id": item["_id"]}, item, upsert=True) for item in items]
        await database.user_items.bulk_write(writes, session=tx)
        return items

    return await write_of_user(database, user_id, attempt)


async def _stored(
    database: Database, user_id: str, places: Sequence[Place], tx: Transaction
) -> dict[Place, ItemDocument]:
    found = await database.user_items.find(
        {"userId": user_id, "$or": [{"path": path, "key": key} for path, key in places]},
        projection({"_id", "path", "key", "revision", "createdAt", "updatedAt", "expiresAt"}),
        session=tx,
    )
    return {(item["path"], item["key"]): item for item in found}


async def make_room(database: Database, user_id: str, added: int, at: datetime, tx: Transaction) -> None:
    """Within a transaction that adds items of a user, refuse those beyond the maximum; expired ones are deleted first.

    Raises:
        TooCostly: the user would have too many items.
    """
    if await database.user_items.count_documents({"userId": user_id}, session=tx) + added <= MAX_ITEMS:
        return
    await database.user_items.delete_many({"userId": user_id, "expiresAt": {"$lte": at}}, session=tx)
    if await database.user_items.count_documents({"userId": user_id}, session=tx) + added > MAX_ITEMS:
        message = f"user {shown(user_id)} would have more than {MAX_ITEMS:,} items, the maximum: delete some first"
        raise TooCostly(message)


def _document(user_id: str, item: NewItem, stored: ItemDocument | None, at: datetime) -> ItemDocument:
    revision = 0 if stored is None else stored["revision"]
    if item.expected_revision not in (None, revision):
        message = (
            f"item {shown(item.key)} has revision {revision}, not {item.expected_revision}: read it again, and decide"
            " again"
        )
        raise Conflict(message, revision=revision)
    path, key = item.place
    document: Document = {
        "_id": new_uuid() if stored is None else stored["_id"],
        "userId": user_id,
        "namespace": list(item.namespace),
        "path": path,
        "key": key,
        "value": item.value,
        "revision": revision + 1,
        "createdAt": at if stored is None else stored["createdAt"],
        "updatedAt": at if stored is None else max(at, stored["updatedAt"]),
        "expiresAt": _expiry(item.ttl, at) if item.expires_at is None else item.expires_at,
        "texts": list(item.texts),
        "layout": item.layout,
    }
    optional: dict[str, Any] = {"ttl": item.ttl, "model": item.model}
    optional["index"] = None if item.index is None else list(item.index)
    return cast("ItemDocument", {**document, **{key: value for key, value in optional.items() if value is not None}})


def _expiry(ttl: float | None, at: datetime) -> datetime:
    """Return the time of an expiry in whole milliseconds, rounded up, at most `NEVER`."""
    if ttl is None:
        return NEVER
    return at + timedelta(milliseconds=-(-ttl * 60_000 // 1))


async def renew_items(
    database: Database, scope: Scope, user_id: str, places: Sequence[Place], fields: Collection[str]
) -> list[ItemDocument]:
    """Begin the time to live of items again; return the items that exist, in no order, with `fields`, path and key."""
    if not places:
        return []
    match = {
        **_matching(scope, ItemSelection(user_id)),
        "$or": [{"path": path, "key": key} for path, key in places],
    }
    read = projection({*fields, "_id", "path", "key", "ttl", "expiresAt"})
    found = await read_whole(database.user_items, match, read, limit=len(places))
    at = now()
    writes: list[Write] = []
    for item in found:
        if (ttl := item.get("ttl")) is not None:
            ends = _expiry(ttl, at)
            same = {"_id": item["_id"], "ttl": ttl, "expiresAt": {"$gt": at}}
            writes.append(UpdateOne(same, {"$max": {"expiresAt": ends}}))
            item["expiresAt"] = ends
    if writes:
        await database.user_items.bulk_write(writes, ordered=False)
    return found


async def delete_items(database: Database, scope: Scope, user_id: str, places: Sequence[Place]) -> list[str]:
    """Delete items of a user; return the uuids of the items that existed."""
    if not places:
        return []
    match = {**_matching(scope, ItemSelection(user_id)), "$or": [{"path": path, "key": key} for path, key in places]}

    async def attempt(tx: Transaction) -> list[str]:
        found = await database.user_items.find(match, {"_id": 1}, session=tx)
        ids = [item["_id"] for item in found]
        await database.user_items.delete_many({"_id": {"$in": ids}}, session=tx)
        return ids

    return await write(database, attempt)
