"""Conditions on what stands at a path within a document, as an expression, and as far as an index can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from graph.store.documents import Document

Key: TypeAlias = str | int
"""The key of a map; a number is the place of an item where a list stands, and its digits are a key where a map does."""


class Existence(Enum):
    """Whether anything stands at a path; a null does."""

    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Contains:
    """A list, one of whose items is equal to a JSON value."""

    item: Any


Wanted: TypeAlias = Any
"""What must stand at a path: an `Existence`, a `Contains`, or the JSON value that it must be equal to."""
Condition: TypeAlias = tuple[tuple[Key, ...], Wanted]
"""Keys of metadata, from the outermost one, and what must stand there."""


def holds(path: Sequence[Key], wanted: Wanted) -> Document:
    """An expression that is true exactly when what is wanted stands at a path.

    The query language's own equality would also find lists that hold the value, and tell maps with another order of
    their keys apart.

    Args:
        path: keys from the outermost one; the first one is plain.
        wanted: what must stand there.
    """
    found: Any = f"${path[0]}"
    for key in path[1:]:
        found = _at(found, key)
    return _named(found, _test(wanted))


def possible(path: Sequence[Key], wanted: Wanted) -> list[Document]:
    """Conditions that all hold where what is wanted stands at a path, and elsewhere maybe: what an index can find.

    Args:
        path: as in `holds`; a key that the query language reads in another way gives no condition.
        wanted: as in `holds`; an existence, a null, a list or an empty map gives no condition.
    """
    if isinstance(wanted, Contains):
        wanted = wanted.item
    if isinstance(wanted, dict):
        return [condition for key in wanted for condition in possible((*path, key), wanted[key])]
    if wanted is None or isinstance(wanted, list | Existence):
        return []
    plain = [key for key in path if isinstance(key, str) and _is_plain(key)]
    return [{".".join(plain): {"$eq": wanted}}] if len(plain) == len(path) else []


def _is_plain(key: str) -> bool:
    return bool(key) and "." not in key and "\0" not in key and not key.startswith("$")


_FOUND = "$$found"


def _named(found: object, test: Document) -> Document:
    """A test of what the expression gives. It is written once, however often the test looks at it."""
    return {"$let": {"vars": {"found": found}, "in": test}}


def _at(found: object, key: Key) -> Document:
    if isinstance(key, str):
        return _field(found, key)
    item = {"$arrayElemAt": [_FOUND, key]}
    return _named(found, {"$cond": [{"$isArray": _FOUND}, item, _field(_FOUND, str(key))]})


def _field(found: object, key: str) -> Document:
    # $getField takes a key as it is, and gives nothing for what is no map: a dotted path would reach into lists. Of a
    # null it gives a null, and nothing stands below a null.
    return {"$getField": {"field": {"$literal": key}, "input": {"$ifNull": [found, "$$REMOVE"]}}}


def _test(wanted: Wanted) -> Document:
    if isinstance(wanted, Existence):
        compare = "$ne" if wanted is Existence.PRESENT else "$eq"
        return {compare: [{"$type": _FOUND}, "missing"]}
    if isinstance(wanted, Contains):
        items = {"$cond": [{"$isArray": _FOUND}, _FOUND, []]}
        return {"$anyElementTrue": [{"$map": {"input": items, "as": "found", "in": _test(wanted.item)}}]}
    if not isinstance(wanted, dict):
        return {"$eq": [_FOUND, {"$literal": wanted}]}
    size = {"$cond": [{"$eq": [{"$type": _FOUND}, "object"]}, {"$size": {"$objectToArray": _FOUND}}, -1]}
    tests = [_named(_field(_FOUND, key), _test(item)) for key, item in wanted.items()]
    return {"$and": [{"$eq": [size, len(wanted)]}, *tests]}
