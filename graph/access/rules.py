"""The rights that operations need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from graph.access.caller import Right

_ADMIN = frozenset({"deleteUser", "retryEnrichment"})
"""Mutations that need ADMIN: they erase a user's data in all sessions, or start work of the service."""


def needed_right(operation: Literal["query", "mutation", "subscription"], root_fields: Iterable[str]) -> Right:
    """Return the right that an operation with these root fields needs."""
    if operation != "mutation":
        return Right.READ
    return Right.ADMIN if not _ADMIN.isdisjoint(root_fields) else Right.WRITE
