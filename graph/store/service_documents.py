"""The documents of the service itself, which belong to no user."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict


class CounterDocument(TypedDict):
    """The last assigned number of sessions or users."""

    _id: str
    last: int


class ModelDocument(TypedDict):
    """The model that workers embed with: the model of the worker that last started with a different model."""

    _id: str
    name: str


class ServiceKeyDocument(TypedDict):
    """A service key: its hash and its right."""

    _id: str
    name: str
    scope: str
    hash: str
    createdAt: datetime
    lastUsedAt: NotRequired[datetime]
