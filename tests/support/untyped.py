"""The stored documents without types, for tests that store or read only some of their fields."""

from __future__ import annotations

from typing import Any

from graph.store.database import Database


def untyped(database: Database, collection: str) -> Any:
    """The driver's own collection."""
    return database.client.get_database(database.name)[collection]
