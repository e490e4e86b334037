"""Databases that are emptied and used by another test, since making and dropping one takes many times as long."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from pymongo import MongoClient, WriteConcern
from pymongo.database import Database as Opened

from graph.store.database import Database, open_database
from graph.store.driver import client as driver
from tests.support.driver import DRIVER

_RESTING = 4
"""Tests between two uses of one database: by then, all that the first test left to MongoDB is done."""
_WRITE_DEADLINE = 20.0  # seconds, as `open_database` has it


class Databases:
    """The databases of this process of the run.

    They are looked at and emptied through the driver's blocking client, which takes a third of the processor time:
    these are many small commands, and nothing else runs meanwhile.
    """

    def __init__(self, uri: str, client: MongoClient[dict[str, Any]]) -> None:
        self._uri = uri
        self._client = client
        self._resting: deque[str] = deque()
        self._to_empty: set[str] = set()
        self._shape: dict[str, Any] | None = None

    def take(self) -> str:
        """The name of a database: of one to be emptied, or a new one."""
        if len(self._resting) <= _RESTING:
            return new_name()
        name = self._resting.popleft()
        self._to_empty.add(name)
        return name

    @asynccontextmanager
    async def lent(self, name: str) -> AsyncIterator[Database]:
        """A database for the length of a block, open and as if it were new."""
        database = await self._open(name)
        yield database
        await database.close()
        self._give_back(name)

    async def _open(self, name: str) -> Database:
        if name in self._to_empty:
            self._to_empty.discard(name)
            self._empty(self._client[name])  # it was given back with all collections and indexes
            return Database(driver.connect(self._uri, pool_size=32, timeout=10.0, driver=DRIVER), name, _WRITE_DEADLINE)
        database = await open_database(self._uri, name=name, driver_name=DRIVER)
        self._shape = self._shape or _shape(self._client[name])
        return database

    def _give_back(self, name: str) -> None:
        """Keep a database for another test where its collections and indexes are unchanged; otherwise drop it."""
        if _shape(self._client[name]) == self._shape:
            self._resting.append(name)
        else:
            self._client.drop_database(name)

    def _empty(self, opened: Opened[dict[str, Any]]) -> None:
        for name in _with_documents(opened, self._shape or ()):
            if name != "versions":  # an empty database has a version, too
                opened.get_collection(name, write_concern=_AT_ONCE).delete_many({})
                opened.command("planCacheClear", name)
        # Reads are of what a majority has: with one wait for that, all deletions before have it too.
        opened.client[opened.name].get_collection("counters", write_concern=_MAJORITY).delete_many({})


_AT_ONCE = WriteConcern(w=1)
_MAJORITY = WriteConcern("majority")


def new_name() -> str:
    """The name of a database that no other test has used."""
    return f"test_{uuid.uuid4().hex}"


@contextmanager
def databases_of(uri: str) -> Iterator[Databases]:
    """The databases of a mongod, for this process of the run."""
    with MongoClient[dict[str, Any]](uri) as client:
        yield Databases(uri, client)


def _with_documents(opened: Opened[dict[str, Any]], names: Iterable[str]) -> list[str]:
    """The collections that have a document, by one command for all."""
    looks = [
        {"$unionWith": {"coll": name, "pipeline": [{"$limit": 1}, {"$project": {"_id": {"$literal": name}}}]}}
        for name in names
    ]
    return [found["_id"] for found in opened.aggregate([{"$documents": []}, *looks])]


def _shape(opened: Opened[dict[str, Any]]) -> dict[str, Any]:
    """The options and indexes of each collection, by one command for all."""
    catalog = opened.client.admin.aggregate([{"$listCatalog": {}}, {"$match": {"db": opened.name}}])
    return {entry["name"]: (entry["type"], *_options(entry.get("md", {}))) for entry in catalog}


def _options(stored: dict[str, Any]) -> tuple[Any, list[Any]]:
    indexes = sorted((index["spec"] for index in stored.get("indexes", ())), key=lambda spec: str(spec["name"]))
    return {**stored.get("options", {}), "uuid": None}, indexes
