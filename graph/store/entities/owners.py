"""Whose entities they are, and in which order they are listed."""

from __future__ import annotations

import hashlib


def session_owner(session_id: str) -> str:
    """The owner of a session's entities."""
    return f"s:{session_id}"


def user_owner(user_id: str) -> str:
    """The owner of a user's entities."""
    return f"u:{user_id}"


HIGHEST_RANK = 2**40


def rank(count: int) -> int:
    """What lists of entities are ordered by: the most mentioned first, in an index that ascends as all others do."""
    return HIGHEST_RANK - count


def entity_id(owner: str, key: str) -> str:
    """The `_id` of an entity's document: of one size, however long the names are."""
    return hashlib.blake2b(f"{owner}\0{key}".encode(), digest_size=16).hexdigest()
