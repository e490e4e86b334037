"""The owners of entities, and the order of lists."""

from __future__ import annotations

import hashlib


def session_owner(session_id: str) -> str:
    """Return the owner of a session's entities."""
    return f"s:{session_id}"


def user_owner(user_id: str) -> str:
    """Return the owner of a user's entities."""
    return f"u:{user_id}"


HIGHEST_RANK = 2**40


def rank(count: int) -> int:
    """Return the sort key of lists of entities: the most mentioned first, in an ascending index."""
    return HIGHEST_RANK - count


def entity_id(owner: str, key: str) -> str:
    """Return the `_id` of an entity's document, of a fixed size for names of any length."""
    return hashlib.blake2b(f"{owner}\0{key}".encode(), digest_size=16).hexdigest()
