"""The right that each mutation needs, declared at its field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import strawberry
from graphql import GraphQLSchema

from graph.access.caller import Right
from graph.execution.fields import definition_of
from graph.execution.size import SIZE, SIZES_BELOW, Size

_RIGHT: Final = "right"
"""Key in a Strawberry field's metadata: the right that the mutation needs."""


def mutation(
    *,
    description: str,
    right: Right = Right.WRITE,
    size: Size | None = None,
    sizes_below: Mapping[str, Size] | None = None,
) -> Any:
    """Declare a mutation.

    Args:
        description: the mutation's description in the schema.
        right: the right that the caller needs; ADMIN for a mutation that reaches beyond a conversation.
        size: the size of the list of its payload, which is declared as a page.
        sizes_below: the default sizes of lists below the mutation, by path, see `SIZES_BELOW`.
    """
    metadata: dict[str, Any] = {_RIGHT: right, SIZES_BELOW: sizes_below or {}}
    if size is not None:
        metadata[SIZE] = size
    return strawberry.mutation(description=description, metadata=metadata)


def needed_right(
    schema: GraphQLSchema, kind: Literal["query", "mutation", "subscription"], root_fields: Iterable[str]
) -> Right:
    """Return the right that an operation with these root fields needs.

    Args:
        schema: the schema for which the operation is valid.
        kind: the kind of the operation.
        root_fields: the names of its root fields.
    """
    if kind != "mutation" or schema.mutation_type is None:
        return Right.READ
    fields = schema.mutation_type.fields
    return max([Right.WRITE, *[_declared(fields[name]) for name in root_fields if name in fields]])


def _declared(field: Any) -> Right:
    """Return the right that a mutation declares; without a declaration, the highest right."""
    metadata: Mapping[str, Right] = definition_of(field).metadata
    return metadata.get(_RIGHT, Right.ADMIN)
