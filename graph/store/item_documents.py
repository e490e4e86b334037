"""The documents of the collection `items`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NotRequired, TypedDict

from graph.store.documents import JSONObject

NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""The expiry of an item without one, so that an index covers the test of the expiry."""


class ItemText(TypedDict):
    """The facts of one text of an item that a search compares, as in `RecallDocument`."""

    language: str
    terms: bytes
    vector: NotRequired[bytes]
    scale: NotRequired[float]


class ItemDocument(TypedDict):
    """A JSON object that a user has under a namespace and a key."""

    _id: str
    userId: str
    namespace: list[str]
    path: str
    """The namespace as one text, see `graph.store.items.path_of`."""
    key: str
    value: JSONObject
    revision: int
    createdAt: datetime
    updatedAt: datetime
    expiresAt: datetime
    """From this time on, the item is as deleted; `NEVER` for no such time."""
    ttl: NotRequired[float]
    """Minutes from a write or a renewal to the expiry."""
    index: NotRequired[list[str]]
    """The paths to the texts by which a search finds the item; missing for the whole value."""
    texts: list[ItemText]
    layout: int
    """The version of the terms, see `graph.store.vectors.LAYOUT`; 0 for texts that have yet to be read."""
    model: NotRequired[str]
    """The model of the vectors, which refused the texts without one; missing until the texts are embedded."""
