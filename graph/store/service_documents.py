"""The documents of the service itself, which belong to no user."""

from __future__ import annotations

from typing import TypedDict


class CounterDocument(TypedDict):
    """The last assigned number of sessions or users."""

    _id: str
    last: int


class ModelDocument(TypedDict):
    """The model that workers embed with: that of the worker which started last with another one."""

    _id: str
    name: str
