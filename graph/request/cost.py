"""What an operation may cost, computed from the schema and the arguments before anything is executed.

The cost is the most objects that the answer can hold: as GitHub counts nodes, `first` and `last` multiply what is below
them. A list without them counts as long as it is at most, or as such lists usually are. A mutation adds to that.
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

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
from graphql.language import DirectiveNode, FragmentDefinitionNode, OperationDefinitionNode, OperationType, VariableNode
from graphql.pyutils import Undefined

MUTATION = 10
"""What each mutation costs beside its answer: a transaction."""

PAGE = 1_000
"""The most items that `first` and `last` may ask for, and what a connection without them gives."""

USUAL = {"messages": 12, "nodes": 10}
"""Items of a list that has no bound in the request, by the field's name."""

OTHERWISE = 5


def operation_cost(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> int:
    """The cost of a valid operation, at least 1.

    Args:
        schema: what it is valid for.
        document: holds the operation's fragments.
        operation: the operation that is about to be executed.
        variables: as they were sent, unchecked. Of their values only numbers, booleans and the lengths of lists count.
    """
    root = schema.get_root_type(operation.operation)
    if root is None:
        return 1
    defaults = {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }
    cost = _Costs(schema, document, {**defaults, **variables}).below(operation.selection_set, root, None)
    if operation.operation is OperationType.MUTATION:
        cost += MUTATION * len(operation.selection_set.selections)
    return max(1, cost)


class _Costs:
    """Costs within one operation. What is known of a fragment is kept: see `graph.request.limits`."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any]) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[tuple[str, int | None], int] = {}

    def below(self, selection_set: SelectionSetNode, parent: Any, page: int | None) -> int:
        """The cost of what is selected on one object.

        Args:
            selection_set: what is selected.
            parent: the object's type.
            page: items of the connection that the object is, if it is one.
        """
        return sum(self._cost(selection, parent, page) for selection in selection_set.selections)

    def _cost(self, selection: Any, parent: Any, page: int | None) -> int:
        if self._is_left_out(selection.directives or ()):
            return 0
        if isinstance(selection, FieldNode):
            return self._of_field(selection, parent, page)
        if isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            type_ = self._schema.get_type(condition.name.value) if condition else parent
            return self.below(selection.selection_set, type_, page)
        assert isinstance(selection, FragmentSpreadNode)  # noqa: S101 - there is no fourth kind
        name = selection.name.value
        if (name, page) not in self._known:
            fragment = self._fragments[name]
            type_ = self._schema.get_type(fragment.type_condition.name.value)
            self._known[name, page] = self.below(fragment.selection_set, type_, page)
        return self._known[name, page]

    def _of_field(self, node: FieldNode, parent: Any, page: int | None) -> int:
        name = node.name.value
        if name.startswith("__") or not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return 1 if node.selection_set else 0
        field = parent.fields[name]
        type_ = get_named_type(field.type)
        if is_leaf_type(type_) or node.selection_set is None:
            return 0
        asked = self._asked(node, field)
        own_page = None
        count = 1
        if isinstance(get_nullable_type(field.type), GraphQLList):
            usual = USUAL.get(name, OTHERWISE)
            count = page if page is not None and name in ("edges", "nodes") else usual if asked is None else asked
        elif type_.name.endswith("Connection"):
            own_page = PAGE if asked is None else asked
        return count * (1 + self.below(node.selection_set, type_, own_page))

    def _asked(self, node: FieldNode, field: GraphQLField) -> int | None:
        """How many items the arguments ask for."""
        given = {argument.name.value: self._value(argument.value) for argument in node.arguments or ()}
        sizes = [given.get(name) for name in ("first", "last")]
        sizes += [len(value) for name, value in given.items() if name == "ids" and isinstance(value, list)]
        numbers = [int(size) for size in sizes if _is_whole(size)]
        if not numbers:
            defaults = [field.args[name].default_value for name in ("first", "last") if name in field.args]
            numbers = [size for size in defaults if size is not Undefined and isinstance(size, int)]
        return min(PAGE, max(0, *numbers)) if numbers else None

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


def _is_whole(value: Any) -> TypeGuard[float]:
    """Whether GraphQL takes a value for an Int: `5.0` as well as `5`."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
