"""What one selection on one object type reads and writes.

A plan is made once for a selection of a parsed document and kept while the document is in use. The projection that
MongoDB gets and the compiled function that writes the response come from the same grouped fields and the same
declarations of the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import DirectiveNode, GraphQLObjectType, Undefined, VariableNode, Visitor, visit
from graphql.execution.collect_fields import FieldDetails

from graph.execution.compile import Writer, compile_writer
from graph.execution.fields import READS, definition_of
from graph.execution.lru import Lru

if TYPE_CHECKING:
    from graphql.execution.executor import Executor

Groups: TypeAlias = Mapping[str, list[FieldDetails]]
"""The fields of a selection by response name, as graphql-core groups them."""

MOST_PLANS = 4_096
MOST_OPERATIONS = 1_024
_DECIDING = frozenset({"skip", "include", "defer"})


class Plan:
    """One selection, that is the fields selected on an object type by one or more field nodes.

    Attributes:
        type: the object type.
        groups: the selected fields by response name.
        usual: whether nothing in the selection is for the stock executor alone (`@defer`, `@stream`, variables of
            fragments).
    """

    def __init__(self, executor: Executor[Any], object_type: GraphQLObjectType, details: list[FieldDetails]) -> None:
        collected = executor.collect_subfields(object_type, details)
        self.type = object_type
        self.groups: Groups = collected.grouped_field_set
        self.usual = not collected.new_defer_usages and not any(map(_is_unusual, details))
        self._details = details  # keeps the nodes, whose identity is the key of the plan, alive
        self._writer: Writer | None = None
        self._is_compiled = False

    @cached_property
    def reads(self) -> frozenset[str]:
        """The paths of the document that the selected fields read."""
        paths: set[str] = set()
        for group in self.groups.values():
            field = self.type.fields.get(group[0].node.name.value)
            if field is not None:  # __typename is no field of the type
                paths.update(definition_of(field).metadata.get(READS, ()))
        return frozenset(paths)

    def writer(self, executor: Executor[Any]) -> Writer | None:
        """The compiled selection; None where nothing in it can be compiled."""
        if not self._is_compiled:
            if self.usual:
                self._writer = compile_writer(self, lambda below, nodes: plan_of(executor, below, nodes))
            self._is_compiled = True
        return self._writer


def plan_of(executor: Executor[Any], object_type: GraphQLObjectType, details: list[FieldDetails]) -> Plan:
    """The plan of a selection: made, or the one that an earlier request with the same parsed document left.

    Args:
        executor: of the operation at hand.
        object_type: what the fields are selected on.
        details: the field nodes whose sub-selections count.

    Raises:
        GraphQLError: a directive has wrong arguments, as the stock executor would find.
    """
    for item in details:
        if item.defer_usage is not None or item.fragment_variable_values is not None:
            return Plan(executor, object_type, details)
    key = (object_type, tuple([id(item.node) for item in details]), conditions_of(executor))
    plan = _plans.get(key)
    if plan is None:
        plan = Plan(executor, object_type, details)
        _plans.put(key, plan)
    return plan


_plans: Lru[Any, Plan] = Lru(MOST_PLANS)
_condition_names: Lru[int, tuple[Any, tuple[str, ...]]] = Lru(MOST_OPERATIONS)


def _is_unusual(item: FieldDetails) -> bool:
    return (
        item.defer_usage is not None
        or item.fragment_variable_values is not None
        or any(directive.name.value == "stream" for directive in item.node.directives or ())
    )


def conditions_of(executor: Executor[Any]) -> tuple[Any, ...]:
    """The values of the variables that decide what the operation includes, found once an operation."""
    values: tuple[Any, ...] | None = getattr(executor, "conditions", None)
    if values is None:
        values = executor.conditions = _find_conditions(executor)  # type: ignore[attr-defined]
    return values


def _find_conditions(executor: Executor[Any]) -> tuple[Any, ...]:
    operation = executor.operation
    known = _condition_names.get(id(operation))
    if known is None:
        finder = _Conditions()
        for node in (operation, *executor.fragment_definitions.values()):
            visit(node, finder)
        known = (operation, tuple(sorted(finder.names)))  # keeps the operation, whose identity is the key, alive
        _condition_names.put(id(operation), known)
    names = known[1]
    if not names:
        return ()
    values = executor.variable_values.coerced
    # With their names: operations of one document share its fragments, and may decide by other variables.
    return tuple([(name, values.get(name, Undefined)) for name in names])


class _Conditions(Visitor):
    """Finds the variables that decide what is included."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        if node.name.value in _DECIDING:
            self.names.update(
                argument.value.name.value
                for argument in node.arguments or ()
                if isinstance(argument.value, VariableNode)
            )
