"""What is checked of a valid operation before it is executed: rights, cost, budget; and how long it may take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import nullcontext
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
        if not execution.pre_execution_errors and execution.graphql_document is not None:
            try:
                await self._check(execution.context, execution.graphql_document)
            except OperationError as error:
                execution.pre_execution_errors = [GraphQLError(str(error), original_error=error)]
        yield

    async def _check(self, context: Context, document: DocumentNode) -> None:
        execution = self.execution_context
        context.backend.trusted.check(execution.query)
        operation = operation_named(document, execution.operation_name)
        _check_rights(context, document, operation)
        schema = execution.schema._schema  # noqa: SLF001 - graphql-core's own schema
        self._cost = _cost_of(schema, document, operation, execution.variables or {})
        most = context.backend.settings.max_cost
        if most and self._cost > most:
            message = (
                f"the operation may give {self._cost:,} objects, and at most {most:,} are accepted:"
                " ask for fewer with first or last"
            )
            raise TooCostly(message, cost={"requested": self._cost, "allowed": most})
        await context.backend.budgets.spend(context.caller, self._cost)

    def on_execute(self) -> Iterator[None]:
        """Bound the time that the database takes for a query; changes have their own deadline."""
        execution = self.execution_context
        seconds = execution.context.backend.settings.database_timeout
        limited = seconds and execution.operation_type.value == "query"
        with time_limit(seconds) if limited else nullcontext():
            yield

    def get_results(self) -> dict[str, Any]:
        """The cost, for callers that ask for it."""
        context: Context = self.execution_context.context
        if self._cost is None or not _is_asked_for(context, self.execution_context.operation_extensions):
            return {}
        return {"cost": {"requested": self._cost, "allowed": context.backend.settings.max_cost}}


def _cost_of(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> int:
    """The cost of an operation, worked out once for what makes a difference to it in the variables."""
    sizes = [_size(variables, node.variable.name.value) for node in operation.variable_definitions or ()]
    key = (id(operation), *sizes)
    known = _known_costs.get(key)
    if known is None:
        known = operation, operation_cost(schema, document, operation, variables)
        _known_costs.put(key, known)
    return known[1]


_known_costs: Lru[tuple[Any, ...], tuple[OperationDefinitionNode, int]] = Lru(4_096)
"""By the identity of the operation, which is kept alive beside the cost."""


def _size(variables: Mapping[str, Any], name: str) -> tuple[str, Any]:
    if name not in variables:
        return "absent", None
    value = variables[name]
    if value is None or isinstance(value, bool | int):
        return type(value).__name__, value
    return ("list", len(value)) if isinstance(value, list) else ("other", None)


def _is_asked_for(context: Context, extensions: Mapping[str, Any] | None) -> bool:
    if context.backend.settings.report_cost or (extensions or {}).get("cost") is True:
        return True
    return context.request is not None and COST_HEADER in context.request.headers


def _check_rights(context: Context, document: DocumentNode, operation: OperationDefinitionNode) -> None:
    if context.caller.seconds_left() == 0:
        raise Unauthenticated("the credentials have expired: connect again with new ones")
    kind: Any = operation.operation.value
    context.caller.require(needed_right(kind, root_fields(document, operation)))
    context.changes = kind == "mutation"


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
