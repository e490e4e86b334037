"""How many items the lists of an answer have, declared at the fields: what the cost of an operation is counted from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLField, GraphQLNamedType, GraphQLSchema
from strawberry.schema.schema_converter import GraphQLCoreConverter

from graph.settings import Settings

SIZE = "size"
"""Key in a Strawberry field's metadata: the `Size` of the field's list, or of the list of the connection that it is."""
SIZES_BELOW = "sizesBelow"
"""Key in a Strawberry field's metadata: the sizes that lists below the field have there without arguments, by path."""


MUTATION = 10
"""Cost of each mutation beside its answer: a transaction."""


@dataclass(frozen=True, slots=True)
class Size:
    """The maximum number of items of a list.

    Attributes:
        most: whatever is asked for.
        default: without arguments.
        arguments: those that say it, as numbers or as lists of as many items; with dots within inputs.
        setting: the setting that is the default instead.
        is_page: whether the list has the items of the connection that it belongs to.
    """

    most: int = 0
    default: int = 0
    arguments: tuple[str, ...] = ()
    setting: str | None = None
    is_page: bool = False


PAGE = Size(is_page=True)
"""Of the list of a connection's edges."""


def size_of(field: GraphQLField) -> Size | None:
    """The declared size of a field; None where it declares no size."""
    return _metadata(field).get(SIZE)


def sizes_below(field: GraphQLField) -> Mapping[tuple[str, ...], Size]:
    """The declared sizes of lists below a field, by the names of the fields that lead there."""
    declared: Mapping[str, Size] = _metadata(field).get(SIZES_BELOW, {})
    return {tuple(path.split(".")): size for path, size in declared.items()}


def assumed_size(size: Size) -> int:
    """The maximum number of items without numbers in the arguments; of a setting, by its default."""
    if size.setting is not None:
        return int(Settings.model_fields[size.setting].default)
    return size.default or size.most


def weight_of(schema: GraphQLSchema, parent: GraphQLNamedType) -> int:
    """The cost of each field of a type beside the objects that it gives."""
    return MUTATION if parent is schema.mutation_type else 0


def _metadata(field: GraphQLField) -> Mapping[str, Any]:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    metadata: Mapping[str, Any] = getattr(definition, "metadata", None) or {}
    return metadata
