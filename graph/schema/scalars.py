"""The custom scalars of the schema."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NewType

import strawberry
from graphql import (
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    value_from_ast_untyped,
)
from strawberry.types.scalar import ScalarDefinition

from graph.errors import BadUserInput, shown
from graph.execution.leaves import total_for, unchanged, unchanged_text
from graph.operations.times import EXAMPLE, read_time
from graph.operations.validation import check_uuid

JSON = NewType("JSON", object)
UUID = NewType("UUID", str)


@total_for(datetime)
@lru_cache(maxsize=16_384)  # a message's times are often one: added and never changed, its entities first and last seen
def _write_time(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, which is what MongoDB keeps. A time without a zone is in UTC."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat("T", "milliseconds") + "Z"


def _read_time(value: Any) -> datetime:
    """A moment with microseconds: which milliseconds are meant depends on its use."""
    if not isinstance(value, str):
        raise GraphQLError(f"DateTime must be a string such as {EXAMPLE}, not {shown(value)}")
    try:
        return read_time(value)
    except ValueError as error:
        raise GraphQLError(f"DateTime {error}") from None


def _read_uuid(value: Any) -> str:
    try:
        return check_uuid(value if isinstance(value, str) else "", "UUID")
    except BadUserInput:
        example = "123e4567-e89b-12d3-a456-426614174000"
        raise GraphQLError(f"UUID must be a text such as {example}, not {shown(value)}") from None


def _read_json_literal(node: ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
    """A literal as graphql-js reads it: a variable without a value leaves its key out, and is null in a list.

    graphql-core leaves its own mark for what is undefined in the value, and infinity or NaN for a number that it
    can't hold.
    """
    if isinstance(node, ObjectValueNode):
        items = ((field.name.value, _read_json_literal(field.value, variables)) for field in node.fields)
        return {name: value for name, value in items if value is not Undefined}
    if isinstance(node, ListValueNode):
        values = (_read_json_literal(item, variables) for item in node.values)
        return [None if value is Undefined else value for value in values]
    if isinstance(node, VariableNode):
        return _as_json((variables or {}).get(node.name.value, Undefined))
    value = value_from_ast_untyped(node)
    if isinstance(node, IntValueNode | FloatValueNode) and not _is_finite(value):
        raise GraphQLError(f"JSON holds no number as large as {_shortened(node.value)}: send it as a text", node)
    return value


def _as_json(value: Any) -> Any:
    """The value of a variable, which may have another type than JSON, within a literal."""
    if isinstance(value, datetime):
        return _write_time(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    return value


def _is_finite(value: float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _shortened(digits: str) -> str:
    return digits if len(digits) <= _MOST_DIGITS else f"{digits[:_MOST_DIGITS]}…"


_MOST_DIGITS = 20
"""Of a number that an error shows."""

SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment in UTC with milliseconds, as RFC 3339 writes it: `2026-01-31T12:00:00.000Z`."
        " As an input it may have any offset, and any fraction of a second.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_write_time,
        parse_value=_read_time,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value. Metadata is always a JSON object.",
        specified_by_url="https://ecma-international.org/publications-and-standards/standards/ecma-404/",
        serialize=unchanged,
        parse_value=lambda value: value,
        parse_literal=_read_json_literal,
    ),
    UUID: strawberry.scalar(
        name="UUID",
        description="A UUID in its canonical text form.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc9562",
        serialize=unchanged_text,
        parse_value=_read_uuid,
    ),
}

METADATA_PATCH = (
    "A JSON Merge Patch (RFC 7396) for the metadata: objects merge at every level, other values replace, and a null"
    " removes its key."
)
"""The description of `metadata` in the inputs of updates."""
