"""The `serviceKeys` collection: hashes of the keys that backends use."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from pymongo.errors import DuplicateKeyError

from graph.store.database import Database
from graph.store.documents import Document, now
from graph.store.driver.client import translated_errors

_USE_IS_NOTED_EVERY = timedelta(minutes=1)


async def insert_key(database: Database, document: Document) -> bool:
    """Store a new key; False when its name is in use."""
    with translated_errors():
        try:
            await database.service_keys.insert_one(document)
        except DuplicateKeyError:
            return False
    return True


async def find_key(database: Database, key_id: str) -> Document | None:
    """The key with its hash."""
    with translated_errors():
        found: Document | None = await database.service_keys.find_one({"_id": key_id})
    return found


async def existing(database: Database, key_ids: Collection[str]) -> set[str]:
    """Those of the ids whose keys are not revoked."""
    with translated_errors():
        found = await database.service_keys.find({"_id": {"$in": list(key_ids)}}, {"_id": 1}).to_list(None)
    return {key["_id"] for key in found}


async def all_keys(database: Database) -> list[Document]:
    """All keys without their hashes, oldest first."""
    with translated_errors():
        found: list[Document] = await database.service_keys.find({}, {"hash": 0}, sort=[("createdAt", 1)]).to_list(None)
    return found


async def delete_key(database: Database, name_or_id: str) -> Document | None:
    """Delete the key with this name or id, and return it as it was."""
    with translated_errors():
        found: Document | None = await database.service_keys.find_one_and_delete(
            {"$or": [{"_id": name_or_id}, {"name": name_or_id}]}
        )
    return found


async def note_use(database: Database, key: Document) -> None:
    """Keep when the key was last used, to the minute, so that most requests write nothing."""
    at = now()
    if at - key.get("lastUsedAt", key["createdAt"] - _USE_IS_NOTED_EVERY) < _USE_IS_NOTED_EVERY:
        return
    with translated_errors():
        await database.service_keys.update_one({"_id": key["_id"]}, {"$set": {"lastUsedAt": at}})
