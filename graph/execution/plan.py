"""The plan of one selection on one object type: its projection and its compiled writer.

A plan is made once for a selection of a prepared operation, which owns the plan. The projection for MongoDB and the
function that writes the response come from the same grouped fields and the same declarations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    DirectiveNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.collect_fields import FieldDetails

from graph.execution.compile import Writer, compile_writer
from graph.execution.fields import READS, definition_of
from graph.execution.form import form_of

if TYPE_CHECKING:
    from graphql.execution.executor import Executor

Groups: TypeAlias = Mapping[str, list[FieldDetails]]
"""The fields of a selection by response name, as graphql-core groups them."""

_DECIDING = frozenset({"skip", "include", "defer"})


class Plan:
    """One selection: the fields selected on an object type by one or more field nodes.

    Attributes:
        type: the object type.
        groups: the selected fields by response name.
        usual: whether the selection has no parts that only the stock executor supports (`@defer`, `@stream`, variables
            of fragments).
    """

    def __init__(self, executor: Executor[Any], object_type: GraphQLObjectType, details: list[FieldDetails]) -> None:
        collected = executor.collect_subfields(object_type, details)
        self.type = object_type
        self.groups: Groups = collected.grouped_field_set
        self.usual = not collected.new_defer_usages and not any(map(_is_unusual, details))
        self._writer: Writer | None = None
        self._is_compiled = False

    @cached_property
    def reads(self) -> frozenset[str]:
        """Return the paths of the document that the selected fields read."""
        paths: set[str] = set()
        for group in self.groups.values():
            field = self.type.fields.get(group[0].node.name.value)
            if field is not None:  # __typename is not a field of the type
                paths.update(definition_of(field).metadata.get(READS, ()))
        return frozenset(paths)

    def writer(self, executor: Executor[Any]) -> Writer | None:
        """Return the compiled selection, or None if no field can be compiled."""
        if not self._is_compiled:
            if self.usual:
                self._writer = compile_writer(self, lambda below, nodes: plan_of(executor, below, nodes))
            self._is_compiled = True
        return self._writer


def plan_of(executor: Executor[Any], object_type: GraphQLObjectType, details: list[FieldDetails]) -> Plan:
    """Return the plan of a selection, cached from an earlier request with the same operation, or new.

    Args:
        executor: the executor of the operation.
        object_type: the type on which the fields are selected.
        details: the field nodes whose sub-selections count.

    Raises:
        GraphQLError: a directive has wrong arguments, as the stock executor would find.
    """
    for item in details:
        if item.defer_usage is not None or item.fragment_variable_values is not None:
            return Plan(executor, object_type, details)
    plans = form_of(executor).plans
    key = (object_type, tuple([id(item.node) for item in details]))
    plan: Plan | None = plans.get(key)
    if plan is None:
        plan = plans[key] = Plan(executor, object_type, details)
    return plan


def _is_unusual(item: FieldDetails) -> bool:
    return (
        item.defer_usage is not None
        or item.fragment_variable_values is not None
        or any(directive.name.value == "stream" for directive in item.node.directives or ())
    )


def conditions_of(operation: OperationDefinitionNode, fragments: Iterable[FragmentDefinitionNode]) -> tuple[str, ...]:
    """Return the names of the variables in `@skip`, `@include` and `@defer`."""
    finder = _Conditions()
    for node in (operation, *fragments):
        visit(node, finder)
    return tuple(sorted(finder.names))


class _Conditions(Visitor):
    """Collects the variables in `@skip`, `@include` and `@defer`."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        if node.name.value in _DECIDING:
            self.names.update(
                argument.value.name.value
                for argument in node.arguments or ()
                if isinstance(argument.value, VariableNode)
            )
