"""Equality of a value within a document, as an aggregation expression, and as far as an index can tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graph.store.documents import Document


def equals(path: Sequence[str], value: Any) -> list[Document]:
    """Conditions that all hold exactly when `value` stands at a path.

    The query language's own equality would also find lists that hold the value, and tell maps with another order of
    their keys apart.

    Args:
        path: keys from the outermost one; none is empty, begins with `$` or holds a dot.
        value: any JSON value.
    """
    return _equals(_at(path), value)


def possible(path: Sequence[str], value: Any) -> list[Document]:
    """Conditions that all hold where `value` stands at a path, and elsewhere maybe: what an index can find.

    Args:
        path: as in `equals`.
        value: any JSON value; a null, a list or an empty map gives no condition.
    """
    if isinstance(value, dict):
        plain = [key for key in value if key and "." not in key and "\0" not in key and not key.startswith("$")]
        return [condition for key in plain for condition in possible((*path, key), value[key])]
    return [] if value is None or isinstance(value, list) else [{".".join(path): {"$eq": value}}]


def _at(path: Sequence[str]) -> Any:
    found: Any = "$" + path[0]
    for key in path[1:]:
        found = _field(found, key)
    return found


def _field(of: Any, key: str) -> Document:
    # $getField takes a key as it is, and gives nothing for what is no map: a dotted path would reach into lists.
    return {"$getField": {"field": {"$literal": key}, "input": of}}


def _equals(found: Any, value: Any) -> list[Document]:
    if not isinstance(value, dict):
        return [{"$eq": [found, {"$literal": value}]}]
    size = {"$cond": [{"$eq": [{"$type": found}, "object"]}, {"$size": {"$objectToArray": found}}, -1]}
    tests: list[Document] = [{"$eq": [size, len(value)]}]
    for key, item in value.items():
        tests += _equals(_field(found, key), item)
    return tests
