"""The names of the driver that the rest of the store uses."""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import isawaitable
from typing import Any, Literal, TypeAlias, TypeVar

from pymongo import (
    ASCENDING,
    AsyncMongoClient,
    DeleteMany,
    DeleteOne,
    IndexModel,
    ReplaceOne,
    ReturnDocument,
    UpdateOne,
)
from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

from graph.store.documents import Document

__all__ = [
    "ASCENDING",
    "BulkWriteError",
    "ChangeStream",
    "Client",
    "DeleteMany",
    "DeleteOne",
    "DriverName",
    "DuplicateKeyError",
    "IndexModel",
    "OperationFailure",
    "PyMongoError",
    "RawDatabase",
    "ReplaceOne",
    "ReturnDocument",
    "Transaction",
    "UpdateOne",
    "Write",
    "awaited",
    "is_motor",
]

T = TypeVar("T")

DriverName: TypeAlias = Literal["motor", "pymongo"]

Client: TypeAlias = AsyncMongoClient[Document]
RawDatabase: TypeAlias = AsyncDatabase[Document]
ChangeStream: TypeAlias = AsyncChangeStream[Document]

Transaction: TypeAlias = AsyncClientSession
"""The driver's session, in which reads and writes belong together. Motor's has the same methods, and no types."""

Write: TypeAlias = UpdateOne | ReplaceOne[Any] | DeleteOne | DeleteMany
"""One of several writes that are sent together."""


def is_motor(made: object) -> bool:
    """Whether an object of the driver is Motor's."""
    return type(made).__module__.startswith("motor.")


async def awaited(result: Awaitable[T]) -> T:
    """The result of a method that is a coroutine function of PyMongo's, and not of Motor's."""
    value: Any = result
    found: T = await value if isawaitable(value) else value
    return found
