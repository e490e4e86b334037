"""The names of the driver that the rest of the store uses."""

from __future__ import annotations

from typing import Any, TypeAlias

from pymongo import ASCENDING, TEXT, DeleteMany, DeleteOne, IndexModel, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

__all__ = [
    "ASCENDING",
    "TEXT",
    "BulkWriteError",
    "DeleteMany",
    "DeleteOne",
    "DuplicateKeyError",
    "IndexModel",
    "OperationFailure",
    "PyMongoError",
    "ReplaceOne",
    "ReturnDocument",
    "Transaction",
    "UpdateOne",
    "Write",
]

Transaction: TypeAlias = AsyncClientSession
"""The driver's session, in which reads and writes belong together. Motor's has the same methods, and no types."""

Write: TypeAlias = UpdateOne | ReplaceOne[Any] | DeleteOne | DeleteMany
"""One of several writes that are sent together."""
