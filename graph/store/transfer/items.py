"""Reads and writes of whole items, for export and import."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime

from graph.store.database import Database
from graph.store.documents import Document, UserDocument, now
from graph.store.driver.types import Transaction
from graph.store.item_documents import NEVER, ItemDocument
from graph.store.items import Place, make_room
from graph.store.transfer.documents import hold_users, write_unique

_AT_ONCE = 200
_DERIVED = {"path": 0, "texts": 0, "layout": 0, "model": 0}
"""The fields that a worker or a search computes from the others."""


async def read_items(
    database: Database, match: Document, *, since: datetime
) -> AsyncGenerator[tuple[list[UserDocument], list[Document]], None]:
    """Yield the matching items of users who exist, by user and place, in lists, without derived fields.

    Args:
        database: the open database.
        match: a filter of the items.
        since: users created since this time come with their items.
    """
    order = [("userId", 1), ("path", 1), ("key", 1)]
    chosen = {**match, "expiresAt": {"$gt": now()}}
    async with aclosing(database.user_items.batches(chosen, _DERIVED, size=_AT_ONCE, sort=order)) as batches:
        async for found in batches:
            owners = await database.users.find({"_id": {"$in": list({item["userId"] for item in found})}})
            existing = {owner["_id"] for owner in owners}
            new = [owner for owner in owners if owner["createdAt"] >= since]
            yield new, [_record(item) for item in found if item["userId"] in existing]


def _record(item: ItemDocument) -> Document:
    return {name: value for name, value in item.items() if value != NEVER}


async def find_stored(database: Database, items: Sequence[ItemDocument]) -> dict[tuple[str, Place], ItemDocument]:
    """Return the stored items at the places of these, by user and place."""
    places = [{"userId": item["userId"], "path": item["path"], "key": item["key"]} for item in items]
    found = await database.user_items.find({"$or": places}, {"texts": 0})
    return {(item["userId"], (item["path"], item["key"])): item for item in found}


async def insert_items(database: Database, items: Sequence[ItemDocument]) -> None:
    """Store items that do not exist; a missing user is created.

    Raises:
        Conflict: an item exists.
        TooCostly: a user would have too many items.
    """

    async def attempt(tx: Transaction) -> None:
        at = now()
        counts = Counter(item["userId"] for item in items)
        await hold_users(database, counts, tx)
        for user_id, count in counts.items():
            await make_room(database, user_id, count, at, tx)
        await database.user_items.insert_many(items, ordered=False, session=tx)

    await write_unique(database, attempt, [])
