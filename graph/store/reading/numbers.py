"""The whole numbers of sessions and users, counted from 1, that Zep's clients page by.

Numbers are assigned at the first read, not at the creation of a session: all writers would queue at one counter. A
number is never reused, so a deletion leaves a gap.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypeVar, overload

from graph.store.database import Database
from graph.store.documents import Document, SessionDocument, UserDocument
from graph.store.driver.answer import read_whole
from graph.store.driver.types import Transaction, UpdateOne
from graph.store.writes import write

Numbered: TypeAlias = Literal["sessions", "users"]
N = TypeVar("N", SessionDocument, UserDocument)

_AT_ONCE = 200
"""Maximum numbers that one transaction assigns."""


async def ensure_number(database: Database, collection: Numbered, document: N) -> N:
    """The whole document of a session or user with its `number`."""
    if "number" not in document:
        await _allot(database, collection, {"_id": document["_id"]})
        found = await _collection(database, collection).find_one({"_id": document["_id"]}, {"number": 1})
        # Deleted in the meantime: it had no number, and the caller's copy needs one.
        document["number"] = (found or {}).get("number", 0)
    return document


@overload
async def list_by_number(
    database: Database, collection: Literal["sessions"], match: Document, *, after: int | None, limit: int | None
) -> list[SessionDocument]: ...


@overload
async def list_by_number(
    database: Database, collection: Literal["users"], match: Document, *, after: int | None, limit: int | None
) -> list[UserDocument]: ...


async def list_by_number(
    database: Database, collection: Numbered, match: Document, *, after: int | None, limit: int | None
) -> list[SessionDocument] | list[UserDocument]:
    """Return the whole matching documents by ascending number.

    Args:
        database: the open database.
        collection: sessions or users.
        match: the filter of the caller's scope.
        after: only greater numbers.
        limit: the maximum number; None for all.
    """
    found: list[Any] = []
    last = after or 0
    while limit is None or len(found) < limit:
        found += await read_whole(
            _collection(database, collection),
            {**match, "number": {"$gt": last}},
            None,
            sort=[("number", 1)],
            limit=None if limit is None else limit - len(found),
        )
        if limit is not None and len(found) >= limit:
            break
        last = max([last, *(document["number"] for document in found[-1:])])
        # New numbers are greater than all others, so their documents follow the found ones.
        if not await _allot(database, collection, match):
            break
    return found


async def _allot(database: Database, collection: Numbered, match: Document) -> int:
    """Number some matching documents without a number, in the order of creation; return how many."""
    documents = _collection(database, collection)
    if await documents.find_one({**match, "number": None}, {"_id": 1}) is None:
        return 0

    async def attempt(tx: Transaction) -> int:
        found = await documents.find(
            {**match, "number": None},
            {"_id": 1},
            sort=[("createdAt", 1), ("_id", 1)],
            limit=_AT_ONCE,
            session=tx,
        )
        if not found:
            return 0
        counter = await database.counters.upsert_one({"_id": collection}, {"$inc": {"last": len(found)}}, session=tx)
        first = counter["last"] - len(found) + 1
        await documents.bulk_write(
            [
                UpdateOne({"_id": document["_id"]}, {"$set": {"number": number}})
                for number, document in enumerate(found, first)
            ],
            session=tx,
        )
        return len(found)

    # One at a time in this process; the counter's document orders the processes.
    async with database.write_lock(f"numbers\0{collection}"):
        return await write(database, attempt)


def _collection(database: Database, collection: Numbered) -> Any:
    return database.sessions if collection == "sessions" else database.users
