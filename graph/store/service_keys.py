"""The `serviceKeys` collection: hashes of the keys that backends use."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from graph.store.database import Database
from graph.store.documents import now
from graph.store.driver.types import DuplicateKeyError
from graph.store.service_documents import ServiceKeyDocument

_USE_IS_NOTED_EVERY = timedelta(minutes=1)


async def insert_key(database: Database, document: ServiceKeyDocument) -> bool:
    """Store a new key; return False if its name is in use."""
    try:
        await database.service_keys.insert_one(document)
    except DuplicateKeyError:
        return False
    return True


async def find_key(database: Database, key_id: str) -> ServiceKeyDocument | None:
    """The key with its hash."""
    return await database.service_keys.find_one({"_id": key_id})


async def existing(database: Database, key_ids: Collection[str]) -> set[str]:
    """Return the ids whose keys are not revoked."""
    found = await database.service_keys.find({"_id": {"$in": list(key_ids)}}, {"_id": 1})
    return {key["_id"] for key in found}


async def all_keys(database: Database) -> list[ServiceKeyDocument]:
    """Return all keys without their hashes, oldest first."""
    return await database.service_keys.find({}, {"hash": 0}, sort=[("createdAt", 1)])


async def delete_key(database: Database, name_or_id: str) -> ServiceKeyDocument | None:
    """Delete the key with this name or id, and return it."""
    return await database.service_keys.find_one_and_delete({"$or": [{"_id": name_or_id}, {"name": name_or_id}]})


async def note_use(database: Database, key: ServiceKeyDocument) -> None:
    """Store the time of the key's last use, to the minute, so that most requests write nothing."""
    at = now()
    if at - key.get("lastUsedAt", key["createdAt"] - _USE_IS_NOTED_EVERY) < _USE_IS_NOTED_EVERY:
        return
    await database.service_keys.update_one({"_id": key["_id"]}, {"$set": {"lastUsedAt": at}})
