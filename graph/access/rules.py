"""Which right an operation needs, once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from graph.access.caller import Right

_ADMIN = frozenset({"deleteUser", "retryEnrichment"})
"""Mutations that need ADMIN: they erase a person everywhere, or cause work of the service itself."""


def needed_right(operation: Literal["query", "mutation", "subscription"], root_fields: Iterable[str]) -> Right:
    """The right that an operation with these root fields needs."""
    if operation != "mutation":
        return Right.READ
    return Right.ADMIN if not _ADMIN.isdisjoint(root_fields) else Right.WRITE
