"""Scalars and enums: the code that completes one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from graphql import GraphQLEnumType, GraphQLError, GraphQLScalarType
from graphql.execution.executor import Executor

_F = TypeVar("_F", bound=Callable[..., Any])

_TOTAL = "total_for"
_BUILT_IN: Mapping[str, str] = {
    "String": "{v}.__class__ is str",
    "ID": "{v}.__class__ is str",
    "Boolean": "{v}.__class__ is bool",
    "Int": "{v}.__class__ is int and -2147483648 <= {v} <= 2147483647",
    "Float": "{v}.__class__ is float and -1.7976931348623157e308 <= {v} <= 1.7976931348623157e308",
}
"""The conditions under which a value of a built-in scalar is written unchanged."""

_PLAIN = (str, int, float, datetime, dict, list, Enum, UUID)


class Unusual(Exception):
    """Something is not plainly as the schema says: no error, but a request for the stock path."""


def total_for(*classes: type) -> Callable[[_F], _F]:
    """Mark a scalar's `serialize` as one that gives a value that is not null for all of these classes' values."""

    def mark(serialize: _F) -> _F:
        setattr(serialize, _TOTAL, classes)
        return serialize

    return mark


@total_for(dict, list, str, int, float, bool)
def unchanged(value: Any) -> Any:
    """Return the value, as `serialize` of a scalar whose values are JSON already."""
    return value


@total_for(str)
def unchanged_text(value: Any) -> Any:
    """Return the value, as `serialize` of a scalar whose values are stored as text."""
    return value


def leaf_expression(
    leaf: GraphQLScalarType | GraphQLEnumType, read: str, names: dict[str, Any], *, nullable: bool
) -> str:
    """Return the expression that completes a value of a scalar or enum.

    Args:
        leaf: the type.
        read: the expression of the value.
        names: receives the functions that the expression calls, by name.
        nullable: whether the value may be null.
    """
    complete = f"{'nullable' if nullable else 'leaf'}_{leaf.name}"
    names[complete] = _completer(leaf, nullable)
    if isinstance(leaf, GraphQLEnumType):
        table = f"enum_{leaf.name}"
        names[table] = _enum_name_of(leaf)
        return f"(n if (v := {read}).__class__ is str and (n := {table}(v)) else {complete}(v))"
    if leaf.name in _BUILT_IN:
        test, write = _BUILT_IN[leaf.name].format(v="v"), "v"
        if nullable:
            test = f"v.__class__ is none or {test}"
            names["none"] = None.__class__
    else:
        serialize = leaf.coerce_output_value
        classes: tuple[type, ...] = getattr(serialize, _TOTAL, ())
        if not classes:
            return f"{complete}({read})"
        first = f"class_{leaf.name}"
        names[first] = classes[0]
        test = f"v.__class__ is {first}"
        if serialize in (unchanged, unchanged_text):
            write = "v"
        else:
            names[f"serialize_{leaf.name}"] = serialize
            write = f"serialize_{leaf.name}(v)"
    return f"({write} if {test.replace('v.__class__', f'(v := {read}).__class__', 1)} else {complete}(v))"


@cache
def _enum_name_of(leaf: GraphQLEnumType) -> Callable[[str], str | None]:
    """Return a function from a stored text to its enum name; None for a value that the stock path must refuse."""
    names: dict[str, str] = {}
    for value in {str(value.value) for value in leaf.values.values() if isinstance(value.value, str)}:
        with suppress(GraphQLError):
            names[value] = leaf.coerce_output_value(value)
    return names.get


@cache
def _completer(leaf: GraphQLScalarType | GraphQLEnumType, nullable: bool) -> Callable[[Any], Any]:
    """Return a function that completes a value like the stock executor, or raises."""

    def complete(value: object) -> Any:
        if value is None and nullable:
            return None
        if not isinstance(value, _PLAIN):  # the stock executor handles exceptions and awaitables
            raise Unusual
        return Executor.complete_leaf_value(leaf, value)

    return complete
