"""What is checked of a valid operation before it is executed: rights, cost, budget; and how long it may take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
)
from graphql.language import FragmentDefinitionNode, OperationDefinitionNode
from strawberry.extensions import SchemaExtension

from graph.access.cost import operation_cost
from graph.access.rules import needed_right
from graph.errors import OperationError, TooCostly, Unauthenticated
from graph.execution.lru import Lru
from graph.schema.context import Context
from graph.store.client import time_limit

COST_HEADER = "x-recallql-cost"


class Guard(SchemaExtension):
    """Refuses operations that the caller may not send. Stands after the validation in the list of extensions."""

    _cost: int | None = None

    async def on_validate(self) -> AsyncIterator[None]:
        """Refuse, as a failed validation does, before anything is executed."""
        execution = self.execution_context
        document = execution.graphql_document
        if not execution.pre_execution_errors and document is not None:
            operation = operation_named(document, execution.operation_name)
            schema: GraphQLSchema = execution.schema._schema  # noqa: SLF001 - graphql-core's own schema
            asked = Asked(execution.query or "", schema, document, operation, execution.variables or {})
            try:
                self._cost = await admit(execution.context, asked)
            except OperationError as error:
                execution.pre_execution_errors = [GraphQLError(str(error), original_error=error)]
        yield

    def on_execute(self) -> Iterator[None]:
        """Bound the time that the database takes."""
        execution = self.execution_context
        with database_limit(execution.context, execution.operation_type.value):
            yield

    def get_results(self) -> dict[str, Any]:
        """The cost, for callers that ask for it."""
        execution = self.execution_context
        return cost_report(execution.context, self._cost, execution.operation_extensions)


@dataclass(frozen=True, slots=True)
class Asked:
    """A valid operation, and what it is asked with."""

    text: str
    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    variables: Mapping[str, Any]


async def admit(context: Context, asked: Asked) -> int:
    """Take the cost of an operation from the caller's budget.

    Returns:
        The cost.

    Raises:
        Unauthenticated: the caller's credentials have expired.
        Forbidden: the caller may not send it.
        TooCostly: it costs too much, at once or over time.
    """
    context.backend.trusted.check(asked.text)
    if context.caller.seconds_left() == 0:
        raise Unauthenticated("the credentials have expired: connect again with new ones")
    facts = _facts_of(asked)
    context.caller.require(facts.right)
    context.changes = facts.changes
    cost = facts.cost(asked)
    most = context.backend.settings.max_cost
    if most and cost > most:
        message = (
            f"the operation may give {cost:,} objects, and at most {most:,} are accepted:"
            " ask for fewer with first or last"
        )
        raise TooCostly(message, cost={"requested": cost, "allowed": most})
    await context.backend.budgets.spend(context.caller, cost)
    return cost


def database_limit(context: Context, kind: str) -> AbstractContextManager[None]:
    """Bounds the time that the database takes for a query; changes have their own deadline."""
    seconds = context.backend.settings.database_timeout
    return time_limit(seconds) if kind == "query" else nullcontext()


def cost_report(context: Context, cost: int | None, extensions: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the answer's `extensions` say of the cost, where the caller or the settings ask for it."""
    asked_for = context.backend.settings.report_cost or (extensions is not None and extensions.get("cost") is True)
    if not asked_for and context.request is not None:
        asked_for = COST_HEADER in context.request.headers
    if cost is None or not asked_for:
        return {}
    return {"cost": {"requested": cost, "allowed": context.backend.settings.max_cost}}


class _Facts:
    """What is the same whenever an operation is sent, worked out once.

    Attributes:
        operation: is kept alive, because its identity is the key of the facts.
        right: what its caller needs.
        changes: whether it is a mutation.
    """

    def __init__(self, asked: Asked) -> None:
        self.operation = asked.operation
        kind: Any = asked.operation.operation.value
        self.right = needed_right(kind, root_fields(asked.document, asked.operation))
        self.changes = kind == "mutation"
        self._names = [node.variable.name.value for node in asked.operation.variable_definitions or ()]
        self._costs: Lru[tuple[Any, ...], int] = Lru(_MOST_COSTS)

    def cost(self, asked: Asked) -> int:
        """The cost, worked out once for what makes a difference to it in the variables."""
        variables = asked.variables
        key = tuple([_size(variables, name) for name in self._names])
        known = self._costs.get(key)
        if known is None:
            known = operation_cost(asked.schema, asked.document, asked.operation, variables)
            self._costs.put(key, known)
        return known


_MOST_COSTS = 100
_known: Lru[int, _Facts] = Lru(4_096)


def _facts_of(asked: Asked) -> _Facts:
    facts = _known.get(id(asked.operation))
    if facts is None:
        facts = _Facts(asked)
        _known.put(id(asked.operation), facts)
    return facts


def _size(variables: Mapping[str, Any], name: str) -> Any:
    """What of a variable's value makes a difference to the cost."""
    value = variables.get(name, _ABSENT)
    if value is None or value.__class__ in _COUNTED:
        return value.__class__, value
    return len(value) if isinstance(value, list) else value.__class__


_ABSENT = object()
_COUNTED = (bool, int, float)


def operation_named(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation that is about to be executed; a valid document has it."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    return next((node for node in operations if node.name and node.name.value == name), operations[0])


def root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> set[str]:
    """The names of the fields that an operation selects at its root, through fragments too."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    found: set[str] = set()
    waiting: list[SelectionSetNode] = [operation.selection_set]
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FieldNode):
                found.add(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                waiting.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode):
                fragment = fragments.pop(selection.name.value, None)
                if fragment is not None:
                    waiting.append(fragment.selection_set)
    return found
