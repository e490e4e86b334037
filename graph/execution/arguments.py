"""Conversion of arguments for resolvers, with names and types resolved once.

Strawberry resolves the name and the annotation of every argument and every field of every input object of every
request, which takes a sixth of the time of an `addMemory`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import GraphQLField, ListValueNode, ObjectValueNode, VariableNode
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import get_argument_values
from graphql.language import FieldNode
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryContainer, StrawberryOptional

from graph.execution.fields import definition_of
from graph.execution.form import form_of
from graph.execution.internals import strawberry_schema

if TYPE_CHECKING:
    from graphql.execution.executor import Executor

_KEPT = "recallql-arguments"


class Argument(NamedTuple):
    """The conversion of one value.

    Attributes:
        name: the name in GraphQL.
        python_name: the name in Python.
        kind: the type to which the value is converted; None if the value is passed unchanged.
    """

    name: str
    python_name: str
    kind: Any


def kind_to_convert(type_: object, registry: Mapping[object, object]) -> Any:
    """Return the type, or None for a scalar, whose values graphql-core has converted already."""
    inner = type_.of_type if isinstance(type_, StrawberryOptional) else type_
    is_scalar = not isinstance(inner, StrawberryContainer) and inner in registry
    return None if is_scalar else type_


class Arguments:
    """The arguments of one field."""

    def __init__(self, field: GraphQLField, schema: Any) -> None:
        self._registry = schema.schema_converter.scalar_registry
        self._config = schema.config
        name_of = self._config.name_converter.from_argument
        self._arguments = [
            Argument(name_of(argument), argument.python_name, kind_to_convert(argument.type, self._registry))
            for argument in definition_of(field).arguments
        ]

    def convert(self, values: Mapping[str, object], info: Any = None) -> dict[str, Any]:
        """Convert the values of graphql-core to the parameters of the field's function."""
        converted = {}
        for name, python_name, kind in self._arguments:
            if name in values:
                value = values[name]
                if kind is not None:
                    value = convert_argument(value, kind, self._registry, self._config, info, path=(name,))
                converted[python_name] = value
        return converted


def arguments_of(field: GraphQLField, schema: object) -> Arguments:
    """Return the arguments of a field, computed once."""
    arguments: Arguments | None = field.extensions.get(_KEPT)
    if arguments is None:
        arguments = field.extensions[_KEPT] = Arguments(field, schema)
    return arguments


def argument_values(executor: Executor[Any], field: GraphQLField, details: FieldDetails) -> dict[str, Any]:
    """Return a field's arguments as its function's parameters, by the steps of the stock executor."""
    literals = form_of(executor).literals
    cached = literals.get(id(details.node))
    if cached is not None:
        return dict(cached)
    values = get_argument_values(field, details.node, executor.variable_values, None, executor.hide_suggestions)
    converted = arguments_of(field, strawberry_schema(executor.schema)).convert(values)
    if _is_literal(details.node):
        literals[id(details.node)] = converted
        return dict(converted)
    return converted


def _is_literal(node: FieldNode) -> bool:
    """Whether the arguments are scalar literals, the same for each request, not variables, lists or objects."""
    return not any(
        isinstance(item.value, VariableNode | ListValueNode | ObjectValueNode) for item in node.arguments or ()
    )
