"""The sizes of lists, declared at the fields: the cost of an operation is computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLField, GraphQLNamedType, GraphQLSchema
from strawberry.schema.schema_converter import GraphQLCoreConverter

from graph.settings import Settings

SIZE = "size"
"""Key in a Strawberry field's metadata: the `Size` of the field's list, or of its connection's list."""
SIZES_BELOW = "sizesBelow"
"""Key in a Strawberry field's metadata: the default sizes of lists below the field, by path."""


MUTATION = 10
"""Cost of each mutation, for its transaction, in addition to the cost of its answer."""


@dataclass(frozen=True, slots=True)
class Size:
    """The maximum number of items of a list.

    Attributes:
        most: the maximum for any arguments.
        default: the size without arguments.
        arguments: the arguments that determine the size, numbers or lists; a path with dots for a field of an input.
        setting: the setting with the default size.
        names_stored: whether a list argument whose items all name stored objects has the size `most`.
        is_page: whether the size is the size of the connection that the list belongs to.
    """

    most: int = 0
    default: int = 0
    arguments: tuple[str, ...] = ()
    setting: str | None = None
    names_stored: bool = False
    is_page: bool = False


STORED_ID = "uuid"
"""The field by which an item of an input names a stored object."""


def all_named(items: Sequence[object]) -> bool:
    """Whether there are items, and each of them may name a stored object."""
    return bool(items) and all(isinstance(item, dict) and item.get(STORED_ID) is not None for item in items)


PAGE = Size(is_page=True)
"""The size of a connection's list of edges."""


def size_of(field: GraphQLField) -> Size | None:
    """Return the declared size of a field, or None."""
    return _metadata(field).get(SIZE)


def sizes_below(field: GraphQLField) -> Mapping[tuple[str, ...], Size]:
    """Return the declared sizes of lists below a field, by the path of field names."""
    declared: Mapping[str, Size] = _metadata(field).get(SIZES_BELOW, {})
    return {tuple(path.split(".")): size for path, size in declared.items()}


def assumed_size(size: Size) -> int:
    """Return the maximum number of items without numbers in the arguments, with settings at their defaults."""
    if size.setting is not None:
        return int(Settings.model_fields[size.setting].default)
    return size.default or size.most


def weight_of(schema: GraphQLSchema, parent: GraphQLNamedType) -> int:
    """Return the cost of each field of a type, in addition to the cost of its objects."""
    return MUTATION if parent is schema.mutation_type else 0


def _metadata(field: GraphQLField) -> Mapping[str, Any]:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    metadata: Mapping[str, Any] = getattr(definition, "metadata", None) or {}
    return metadata
