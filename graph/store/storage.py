"""The space that the collections take, and the version of MongoDB: facts of a deployment, read at little cost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from graph.store.database import Database
from graph.store.documents import Document
from graph.store.driver import client as driver
from graph.store.indexes import INDEXES

COLLECTIONS = tuple(INDEXES)
"""The names of the collections."""
_MOST = 100_000
"""Maximum number of collections times shards: one batch holds them all."""


@dataclass(frozen=True, slots=True)
class CollectionSpace:
    """The space of one collection, by MongoDB's own counts, which may stay wrong after mongod was killed.

    Attributes:
        name: the name of the collection.
        documents: number of documents.
        content: bytes of the documents, uncompressed.
        documents_on_disk: bytes of their file, compressed, with the free space in it.
        indexes_on_disk: bytes of the files of the indexes.
    """

    name: str
    documents: int
    content: int
    documents_on_disk: int
    indexes_on_disk: int

    @property
    def on_disk(self) -> int:
        """Bytes of the files."""
        return self.documents_on_disk + self.indexes_on_disk


@dataclass(frozen=True, slots=True)
class Space:
    """The space of the database and of its disk.

    Attributes:
        collections: the collections of this service, largest first.
        disk: bytes of the file system of MongoDB; None where MongoDB does not report them.
        free: free bytes of the file system; None where MongoDB does not report them.
    """

    collections: list[CollectionSpace]
    disk: int | None
    free: int | None


async def mongodb_version(database: Database, seconds: float) -> str:
    """Return the version of MongoDB.

    Args:
        database: the open database.
        seconds: the maximum time, the selection of a server included.

    Raises:
        Unavailable: MongoDB did not answer in time.
    """
    with driver.answering_within(seconds):
        build: Document = await database.client.admin.command("buildInfo")
    return str(build["version"])


async def space(database: Database, seconds: float) -> Space:
    """Return the space of the collections: three commands, whose time does not depend on the number of documents.

    Args:
        database: the open database.
        seconds: the maximum time, the selection of a server included.

    Raises:
        Unavailable: MongoDB did not answer in time.
    """
    with driver.answering_within(seconds):
        return await _space(database)


def file_system(stats: Document) -> tuple[int, int] | None:
    """Return the total and used bytes of the file system in an answer to `dbStats`.

    None for a database that does not exist, or where MongoDB does not report the bytes.
    """
    if not stats.get("fsTotalSize"):
        return None
    return int(stats["fsTotalSize"]), int(stats["fsUsedSize"])


async def _space(database: Database) -> Space:
    raw = database.client.get_database(database.name)
    there = set(await raw.list_collection_names())
    names = [name for name in COLLECTIONS if name in there]
    disk = file_system(await raw.command("dbStats"))
    collections = await _of_each(database, names) if names else []
    if disk is None:
        return Space(collections, None, None)
    total, used = disk
    return Space(collections, total, total - used)


async def _of_each(database: Database, names: list[str]) -> list[CollectionSpace]:
    first, *others = names
    unions = [{"$unionWith": {"coll": name, "pipeline": _stages(name)}} for name in others]
    command = {"aggregate": first, "pipeline": [*_stages(first), *unions], "cursor": {"batchSize": _MOST}}
    answer: Document = await database.client.get_database(database.name).command(command)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for found in answer["cursor"]["firstBatch"]:  # a sharded collection has one document of each shard
        sums[found["name"]] = [number + int(more) for number, more in zip(sums[found["name"]], found["n"], strict=True)]
    spaces = [CollectionSpace(name, *numbers) for name, numbers in sums.items()]
    return sorted(spaces, key=lambda each: (-each.on_disk, each.name))


def _stages(name: str) -> list[Document]:
    figures = ["count", "size", "storageSize", "totalIndexSize"]
    return [
        {"$collStats": {"storageStats": {}}},
        {"$project": {"_id": 0, "name": {"$literal": name}, "n": [f"$storageStats.{figure}" for figure in figures]}},
    ]
