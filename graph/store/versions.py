"""The version of a database's schema: the number of migrations that its documents have had.

One document in `versions` has it, with the state of the running migration, see `graph.store.jobs.migrations`. A process
opens a database only if no newer RecallQL has opened it: an older one would write documents that the migrations of the
newer one have replaced.
"""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from graph.errors import StartupError
from graph.store.documents import Document, now
from graph.store.driver.types import DuplicateKeyError, RawDatabase
from graph.store.service_documents import VersionDocument

CURRENT = 3
"""The version that this RecallQL reads and writes: the number of the migrations of `graph.store.jobs.migrations`."""
SCHEMA = {"_id": "schema"}
_COLLECTION = "versions"


async def admit(database: RawDatabase) -> None:
    """Refuse a database of a newer version, or note that this version has opened it.

    An empty database gets the current version. A database with documents and without a version was last opened by a
    release that stored no version: it gets version 0. Other processes may do the same concurrently.

    Raises:
        StartupError: a newer version has opened the database; nothing is changed.
    """
    found = await stored_version(database) or await _first(database)
    if found["newest"] > CURRENT:
        raise StartupError(newer(database.name, found))
    if found["newest"] < CURRENT:
        versions = database[_COLLECTION]
        await versions.update_one(SCHEMA, {"$max": {"newest": CURRENT}})
        await versions.update_one({**SCHEMA, "dueAt": {"$exists": False}}, {"$set": {"dueAt": now()}})


async def stored_version(database: RawDatabase) -> VersionDocument | None:
    """Return the stored version; None of a database that no version since the first one has opened."""
    return cast("VersionDocument | None", await database[_COLLECTION].find_one(SCHEMA))


def newer(name: str, found: VersionDocument) -> str:
    """Return the refusal of a database that a newer version has opened."""
    return (
        f"the database {name} has schema version {found['newest']}, and this RecallQL knows versions up to {CURRENT}:"
        " install the release that opened it last or a later one, or restore a backup from before the upgrade into"
        " another database"
    )


async def has_documents(database: RawDatabase) -> bool:
    """Return whether any collection has a document."""
    for name in await database.list_collection_names():
        if not name.startswith("system.") and await database[name].find_one({}, {"_id": 1}) is not None:
            return True
    return False


async def _first(database: RawDatabase) -> VersionDocument:
    # Before the insert: the first documents of a process that starts at the same time follow that process's insert.
    number = 0 if await has_documents(database) else CURRENT
    document: Document = {**SCHEMA, "number": number, "newest": CURRENT}
    if number < CURRENT:
        document["dueAt"] = now()
    with suppress(DuplicateKeyError):  # another process has just inserted it
        await database[_COLLECTION].insert_one(document)
    found = await stored_version(database)
    if found is None:
        raise StartupError(f"the database {database.name} is being dropped: start again")
    return found
