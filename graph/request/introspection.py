"""The cost of introspection: the objects of its answer, counted on the schema itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLList,
    GraphQLSchema,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    introspection_types,
)
from graphql.language import FragmentDefinitionNode


def introspected(
    schema: GraphQLSchema,
    node: FieldNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    value_of: Callable[[Any], Any],
) -> int:
    """Return the number of objects that `__schema` or `__type` returns; 0 for `__typename`.

    Args:
        schema: the schema.
        node: the field.
        fragments: the document's, by name.
        value_of: returns the value of an argument's node.
    """
    if node.selection_set is None:
        return 0
    walk = _Walk(schema, fragments)
    if node.name.value == "__schema":
        return walk.of(schema, node.selection_set, "__Schema")
    arguments = {item.name.value: value_of(item.value) for item in node.arguments or ()}
    return walk.of(schema.get_type(str(arguments.get("name"))), node.selection_set, "__Type")


class _Walk:
    """Counts each part of the schema once for each selection on it, however often it is in the answer."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._info = SimpleNamespace(schema=schema)  # the resolvers of introspection read no other attribute of an info
        self._fragments = fragments
        self._costs: dict[tuple[int, int], tuple[Any, int]] = {}

    def of(self, value: object, selection_set: SelectionSetNode, type_name: str) -> int:
        """Return the number of objects of a value: the value itself and the objects below."""
        return 0 if value is None else 1 + self._below(value, selection_set, type_name)

    def _below(self, value: object, selection_set: SelectionSetNode, type_name: str) -> int:
        key = id(value), id(selection_set)
        if key not in self._costs:
            cost = sum(self._cost(value, selection, type_name) for selection in selection_set.selections)
            self._costs[key] = value, cost  # with the value, so that no other one gets its identity
        return self._costs[key][1]

    def _cost(self, value: Any, selection: Any, type_name: str) -> int:
        if isinstance(selection, FieldNode):
            return self._of_field(value, selection, type_name)
        if isinstance(selection, FragmentSpreadNode):
            selection = self._fragments[selection.name.value]
        return self._below(value, selection.selection_set, type_name)

    def _of_field(self, value: object, node: FieldNode, type_name: str) -> int:
        if node.selection_set is None:
            return 0
        field: GraphQLField = introspection_types[type_name].fields[node.name.value]  # type: ignore[attr-defined]
        # Deprecated fields count always: they are few, and the cost is a bound.
        arguments = {name: True for name in field.args if name == "includeDeprecated"}
        resolve: Any = field.resolve
        found = resolve(value, self._info, **arguments)
        items = found if isinstance(get_nullable_type(field.type), GraphQLList) else [found]
        name = get_named_type(field.type).name
        return sum(self.of(item, node.selection_set, name) for item in items or ())
