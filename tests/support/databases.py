"""Databases that are emptied and used by another test, since making and dropping one takes many times as long."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from typing import Any

from graph.store.database import Database

_RESTING = 8
"""Tests between two uses of one database: by then, all that the first test left to MongoDB is done."""


class Databases:
    """The databases of this process of the run."""

    def __init__(self) -> None:
        self._resting: deque[str] = deque()
        self._shape: Any = None

    def take(self) -> str:
        """The name of a database: of one to be emptied, or a new one."""
        return self._resting.popleft() if len(self._resting) > _RESTING else f"test_{uuid.uuid4().hex}"

    async def empty(self, database: Database) -> None:
        """Make an open database as if it were new."""
        opened = database.client.get_database(database.name)
        if self._shape is None:
            self._shape = await _shape(opened)
        await asyncio.gather(*(_clear(opened, name) for name in self._shape))

    async def give_back(self, database: Database) -> None:
        """Keep a database for another test where its collections and indexes are unchanged; otherwise drop it."""
        if await _shape(database.client.get_database(database.name)) == self._shape:
            self._resting.append(database.name)
        else:
            await database.client.drop_database(database.name)


async def _shape(opened: Any) -> dict[str, Any]:
    """The options and indexes of each collection."""
    found = [info async for info in await opened.list_collections()]
    indexes = await asyncio.gather(*(_indexes(opened, info) for info in found))
    return {info["name"]: (info["options"], made) for info, made in zip(found, indexes, strict=True)}


async def _indexes(opened: Any, info: dict[str, Any]) -> Any:
    return await opened[info["name"]].index_information() if info["type"] == "collection" else None


async def _clear(opened: Any, name: str) -> None:
    await opened[name].delete_many({})
    await opened.command("planCacheClear", name)


DATABASES = Databases()
