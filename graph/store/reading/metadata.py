"""Conditions on the value at a path in a document, as an expression, and as a filter for an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from graph.store.documents import Document

Key: TypeAlias = str | int
"""A key of a map; a number is an index in a list, and a key of its digits in a map."""


class Existence(Enum):
    """Whether a path has a value, null included."""

    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Contains:
    """A list with an item equal to a JSON value."""

    item: Any


class Order(Enum):
    """The order of a value to another one; the values are MongoDB's operators."""

    GREATER = "$gt"
    AT_LEAST = "$gte"
    LESS = "$lt"
    AT_MOST = "$lte"


@dataclass(frozen=True, slots=True)
class Ordered:
    """A number in an order to a number, or a text in an order to a text; any other value does not meet it."""

    order: Order
    value: float | str


@dataclass(frozen=True, slots=True)
class Unequal:
    """A value that is not equal to a JSON value, or no value."""

    value: Any


ComparedValue: TypeAlias = Any
"""The condition on the value at a path: an `Existence`, a `Contains`, an `Ordered`, an `Unequal`, or the equal JSON
value."""
Condition: TypeAlias = tuple[tuple[Key, ...], ComparedValue]
"""The keys of a path in metadata, outermost first, and the condition on its value."""


def holds(path: Sequence[Key], compared: ComparedValue) -> Document:
    """Return an expression that is true exactly if the value at a path meets a condition.

    The query language's equality would also match lists with the value, and would distinguish maps by the order of
    their keys.

    Args:
        path: the keys, outermost first; the first one is plain.
        compared: the condition.
    """
    found: Any = f"${path[0]}"
    for key in path[1:]:
        found = _at(found, key)
    return _named(found, _test(compared))


def possible(path: Sequence[Key], compared: ComparedValue) -> list[Document]:
    """Return necessary conditions, for an index, of a condition on the value at a path.

    Args:
        path: as in `holds`; a key with a meaning in the query language gives no condition.
        compared: as in `holds`; an existence, a null, a list or an empty map gives no condition.
    """
    if isinstance(compared, Contains):
        compared = compared.item
    if isinstance(compared, Ordered | Unequal):
        return []
    if isinstance(compared, dict):
        return [condition for key in compared for condition in possible((*path, key), compared[key])]
    if compared is None or isinstance(compared, list | Existence):
        return []
    plain = [key for key in path if isinstance(key, str) and _is_plain(key)]
    return [{".".join(plain): {"$eq": compared}}] if len(plain) == len(path) else []


def _is_plain(key: str) -> bool:
    return bool(key) and "." not in key and "\0" not in key and not key.startswith("$")


_FOUND = "$$found"


def _named(found: object, test: Document) -> Document:
    """Return a test of an expression's value, in which the expression occurs once."""
    return {"$let": {"vars": {"found": found}, "in": test}}


def _at(found: object, key: Key) -> Document:
    if isinstance(key, str):
        return _field(found, key)
    item = {"$arrayElemAt": [_FOUND, key]}
    return _named(found, {"$cond": [{"$isArray": _FOUND}, item, _field(_FOUND, str(key))]})


def _field(found: object, key: str) -> Document:
    # $getField takes the key verbatim, and gives nothing for a value that is not a map; a path with dots would reach
    # into lists. For a null it gives a null, which has no values below.
    return {"$getField": {"field": {"$literal": key}, "input": {"$ifNull": [found, "$$REMOVE"]}}}


def _test(compared: ComparedValue) -> Document:
    if isinstance(compared, Existence):
        compare = "$ne" if compared is Existence.PRESENT else "$eq"
        return {compare: [{"$type": _FOUND}, "missing"]}
    if isinstance(compared, Contains):
        items = {"$cond": [{"$isArray": _FOUND}, _FOUND, []]}
        return {"$anyElementTrue": [{"$map": {"input": items, "as": "found", "in": _test(compared.item)}}]}
    if isinstance(compared, Unequal):
        return {"$not": [_test(compared.value)]}
    if isinstance(compared, Ordered):
        kinds = ["string"] if isinstance(compared.value, str) else ["int", "long", "double", "decimal"]
        value = {"$literal": compared.value}
        return {"$and": [{"$in": [{"$type": _FOUND}, kinds]}, {compared.order.value: [_FOUND, value]}]}
    if not isinstance(compared, dict):
        return {"$eq": [_FOUND, {"$literal": compared}]}
    size = {"$cond": [{"$eq": [{"$type": _FOUND}, "object"]}, {"$size": {"$objectToArray": _FOUND}}, -1]}
    tests = [_named(_field(_FOUND, key), _test(item)) for key, item in compared.items()]
    return {"$and": [{"$eq": [size, len(compared)]}, *tests]}
