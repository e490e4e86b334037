"""Global ids and the Node interface (Relay's Global Object Identification)."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from functools import lru_cache
from typing import Any, cast

import strawberry

from graph.execution.fields import DocumentType

__all__ = ["TYPENAME", "DocumentType", "Node", "global_id", "parse_global_id"]

TYPENAME = "__typename"
"""The key for the name of the type, which a resolver of the interface adds to a document."""


_LONGEST_KEPT = 200
"""Maximum characters of a name whose id is cached, so that the cache has a few megabytes."""

_LONGEST_ID = 100_000
"""Maximum characters of a global id: the ids of entities, with names in them, are the longest."""


def global_id(type_name: str, key: str) -> strawberry.ID:
    """Return the id of an object, opaque to callers and unique over all types."""
    return _kept(type_name, key) if len(key) <= _LONGEST_KEPT else _encoded(type_name, key)


def _encoded(type_name: str, key: str) -> strawberry.ID:
    text = b2a_base64(f"{type_name}:{key}".encode(), newline=False).decode().rstrip("=")
    return cast("strawberry.ID", text.translate(_URL_SAFE) if "+" in text or "/" in text else text)


_kept = lru_cache(maxsize=16_384)(_encoded)  # a conversation is read at each of its turns
_URL_SAFE = str.maketrans("+/", "-_")


def parse_global_id(value: str) -> tuple[str, str] | None:
    """Return the type name and key of a global id; None for a text that is not a global id."""
    if len(value) > _LONGEST_ID:
        return None
    try:
        text = urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    type_name, colon, key = text.partition(":")
    return (type_name, key) if colon and _encoded(type_name, key) == value else None


def entity_id(scope: str, key: str) -> strawberry.ID:
    """Return the global id of an entity in a scope. The key may have any characters, so its length comes first."""
    if len(key) + len(scope) <= _LONGEST_KEPT:
        return _kept_of_entity(scope, key)
    return _encoded_of_entity(scope, key)


def _encoded_of_entity(scope: str, key: str) -> strawberry.ID:
    return _encoded("Entity", f"{len(key)}:{key}{scope}")


_kept_of_entity = lru_cache(maxsize=16_384)(_encoded_of_entity)


def parse_entity_key(key: str) -> tuple[str, str] | None:
    """Return scope and entity key from the key of an entity's global id; None for any other text."""
    length, _, rest = key.partition(":")
    if not (length.isascii() and length.isdecimal() and len(length) <= 6 and len(rest) > int(length)):
        return None
    return rest[int(length) :], rest[: int(length)]


@strawberry.interface(description="An object with a global id, for `node(id:)` and for client caches.")
class Node:
    """The interface; each type has its own `id` resolver."""

    id: strawberry.ID = strawberry.field(description="Opaque global id, unique over all types.")

    @classmethod
    def resolve_type(cls, document: Any, _info: Any, _abstract: Any) -> str:
        """Return the type name that the resolver added to the document."""
        name: str = document[TYPENAME]
        return name
