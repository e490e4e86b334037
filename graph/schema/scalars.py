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
@lru_cache(maxsize=16_384)  # the times of a message and its entities are often equal
def _write_time(value: datetime) -> str:
    """Format a time as RFC 3339 in UTC with milliseconds, MongoDB's precision. A time without a zone is in UTC."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat("T", "milliseconds") + "Z"


def _read_time(value: Any) -> datetime:
    """Read a time with microseconds: its use decides whether it is rounded up or down to milliseconds."""
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
    """Read a literal like graphql-js: a variable without a value leaves its key out, and is null in a list.

    graphql-core would keep its `Undefined` in the value, and read a number too large for a float as infinity or NaN.
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
        raise GraphQLError(
            f"JSON has the number {_shortened(node.value)}, too large for a float: send the number as a text", node
        )
    return value


def _as_json(value: Any) -> Any:
    """Return the value of a variable in a literal; the variable may have another type than JSON."""
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
"""Maximum digits of a number in an error message."""

SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A time in UTC with milliseconds, in the format of RFC 3339: `2026-01-31T12:00:00.000Z`."
        " An input may have any offset, and any fraction of a second.",
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

EXPECTED_UUID = (
    "The `Session.uuid` that you read. CONFLICT if the session is another one, which was made with the same id after a"
    " deletion: its revisions begin again, and may be equal."
)
METADATA_PATCH = (
    "A JSON Merge Patch (RFC 7396) for the metadata: objects merge at every level, other values replace, and a null"
    " removes its key."
)
"""The description of `metadata` in the inputs of updates."""
