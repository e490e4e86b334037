"""The cost of an operation, computed from the schema and the arguments before anything is executed.

The cost is a bound: the answer never holds more objects. The size of each list is declared at its field, see
`graph.execution.size`; this module knows no field of the schema. A mutation adds the cost of its transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeGuard

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    value_from_ast_untyped,
)
from graphql.language import DirectiveNode, FragmentDefinitionNode, OperationDefinitionNode, VariableNode

from graph.execution.size import Size, all_named, size_of, sizes_below, weight_of
from graph.request.introspection import introspected
from graph.settings import Settings

_Below: TypeAlias = tuple[tuple[tuple[str, ...], int], ...]
"""Default sizes of lists below an object, by the path of field names to the list."""


def operation_cost(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, object],
    settings: Settings,
) -> int:
    """Return the cost of a valid operation, at least 1.

    Args:
        schema: the schema for which it is valid.
        document: holds the operation's fragments.
        operation: the operation to execute.
        variables: the values of the request, unchecked. Only numbers, booleans, the lengths of lists, and
            whether their items name stored objects, count.
        settings: hold the default sizes of some lists.
    """
    root = schema.get_root_type(operation.operation)
    if root is None:
        return 1
    defaults = {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }
    costs = _Costs(schema, document, {**defaults, **variables}, settings)
    return max(1, costs.below(operation.selection_set, root, None, ()))


class _Costs:
    """Costs within one operation; the cost of a fragment is computed once, see `graph.request.limits`."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any], settings: Settings
    ) -> None:
        self._schema = schema
        self._variables = variables
        self._settings = settings
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._costs: dict[tuple[str, int | None, _Below], int] = {}

    def below(self, selection_set: SelectionSetNode, parent: object, page: int | None, sizes: _Below) -> int:
        """Return the cost of the fields that are selected on one object.

        Args:
            selection_set: the selected fields.
            parent: the object's type.
            page: the number of items, if the object is a connection.
            sizes: sizes of the lists below that depend on the path to the object.
        """
        return sum(self._cost(selection, parent, page, sizes) for selection in selection_set.selections)

    def _cost(self, selection: Any, parent: object, page: int | None, sizes: _Below) -> int:
        if self._is_left_out(selection.directives or ()):
            return 0
        if isinstance(selection, FieldNode):
            return self._of_field(selection, parent, page, sizes)
        if isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            type_ = self._schema.get_type(condition.name.value) if condition else parent
            return self.below(selection.selection_set, type_, page, sizes)
        assert isinstance(selection, FragmentSpreadNode)  # noqa: S101 - there is no fourth kind
        key = selection.name.value, page, sizes
        if key not in self._costs:
            fragment = self._fragments[key[0]]
            type_ = self._schema.get_type(fragment.type_condition.name.value)
            self._costs[key] = self.below(fragment.selection_set, type_, page, sizes)
        return self._costs[key]

    def _of_field(self, node: FieldNode, parent: object, page: int | None, sizes: _Below) -> int:
        name = node.name.value
        if name.startswith("__") or not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return introspected(self._schema, node, self._fragments, self._value)
        field = parent.fields[name]
        cost = weight_of(self._schema, parent)
        type_ = get_named_type(field.type)
        if is_leaf_type(type_) or node.selection_set is None:
            return cost
        size = self._size(node, field, page, dict(sizes).get((name,)))
        is_list = isinstance(get_nullable_type(field.type), GraphQLList)
        below = self.below(node.selection_set, type_, size, self._sizes_below(node, field, sizes))
        return cost + (size if is_list and size is not None else 1) * (1 + below)

    def _size(self, node: FieldNode, field: GraphQLField, page: int | None, default: int | None) -> int | None:
        """Return the items of a field's list or connection; None for a field of another type."""
        size = size_of(field)
        if size is None or size.is_page:
            return None if size is None else page
        return self._asked(size, node, field, default)

    def _sizes_below(self, node: FieldNode, field: GraphQLField, sizes: _Below) -> _Below:
        passed = [(path[1:], size) for path, size in sizes if path[0] == node.name.value and path[1:]]
        own = [(path, self._asked(size, node, field, None)) for path, size in sizes_below(field).items()]
        return (*passed, *own)

    def _asked(self, size: Size, node: FieldNode, field: GraphQLField, default: int | None) -> int:
        """Return the number of items that the arguments ask for, or the default number."""
        asked = [self._count(node, field, path.split("."), size) for path in size.arguments]
        numbers = [number for number in asked if number is not None]
        if numbers:
            return min(size.most, max(0, *numbers))
        if default is not None:
            return default
        return size.default if size.setting is None else int(getattr(self._settings, size.setting))

    def _count(self, node: FieldNode, field: GraphQLField, path: list[str], size: Size) -> int | None:
        """Return the value of a numeric argument, or the items that a list asks for; None for a missing argument."""
        value: Any = next(
            (self._value(item.value) for item in node.arguments or () if item.name.value == path[0]), None
        )
        type_: Any = get_nullable_type(field.args[path[0]].type)
        for key in path[1:]:
            value = value.get(key) if isinstance(value, dict) else None
            type_ = get_nullable_type(type_.fields[key].type)
        if isinstance(type_, GraphQLList):
            return None if value is None else _items(value if isinstance(value, list) else [value], size)
        return int(value) if _is_whole(value) else None

    def _value(self, node: Any) -> Any:
        if isinstance(node, VariableNode):
            return self._variables.get(node.name.value)
        return value_from_ast_untyped(node, self._variables)

    def _is_left_out(self, directives: tuple[DirectiveNode, ...]) -> bool:
        for directive in directives:
            if directive.name.value in ("skip", "include"):
                for argument in directive.arguments or ():
                    if self._value(argument.value) is (directive.name.value == "skip"):
                        return True
        return False


def _items(sent: list[Any], size: Size) -> int:
    """Return the items that a list asks for: a whole stored list where each item names a stored object."""
    return size.most if size.names_stored and all_named(sent) else len(sent)


def _is_whole(value: object) -> TypeGuard[float]:
    """Whether GraphQL accepts a value as an Int: `5.0` as well as `5`."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
