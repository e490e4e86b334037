"""What is checked of a valid operation before it is executed: rights, cost, budget; and how long it may take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from graphql import GraphQLError, GraphQLSchema
from strawberry.extensions import SchemaExtension

from graph.errors import OperationError, TooCostly, Unauthenticated
from graph.request.documents import Documents
from graph.request.operation import Operation
from graph.schema.context import Context
from graph.store.driver.answer import answer_limit
from graph.store.driver.client import time_limit

COST_HEADER = "x-recallql-cost"


class Guard(SchemaExtension):
    """Refuses operations that the caller may not send. Stands after the validation in the list of extensions."""

    def __init__(self, documents: Documents) -> None:
        super().__init__()
        self._documents = documents
        self._cost: int | None = None
        self._copies = 1

    async def on_validate(self) -> AsyncIterator[None]:
        """Refuse, as a failed validation does, before anything is executed."""
        execution = self.execution_context
        if not execution.pre_execution_errors and execution.graphql_document is not None:
            text, context = execution.query or "", execution.context
            schema: GraphQLSchema = execution.schema._schema  # noqa: SLF001 - graphql-core's own schema
            prepared = self._documents.prepare(text, context.backend.settings, schema)
            operation = prepared.operation(execution.operation_name)
            self._copies = operation.copies
            try:
                self._cost = await admit(context, text, operation, execution.variables or {})
            except OperationError as error:
                execution.pre_execution_errors = [GraphQLError(str(error), original_error=error)]
        yield

    def on_execute(self) -> Iterator[None]:
        """Bound the time that the database takes, and the bytes that it brings."""
        execution = self.execution_context
        with reading_limits(execution.context, execution.operation_type.value, self._copies):
            yield

    def get_results(self) -> dict[str, Any]:
        """The cost, for callers that ask for it."""
        execution = self.execution_context
        return cost_report(execution.context, self._cost, execution.operation_extensions)


async def admit(context: Context, text: str, operation: Operation, variables: Mapping[str, object]) -> int:
    """Take the cost of a valid operation from the caller's budget.

    Args:
        context: of the request.
        text: the document.
        operation: the one of it that is asked for.
        variables: as they were sent.

    Returns:
        The cost.

    Raises:
        Unauthenticated: the caller's credentials have expired.
        Forbidden: the caller may not send it.
        BadUserInput: a list in the variables is too long.
        TooCostly: it costs too much, at once or over time.
    """
    context.guards.trusted.check(text)
    if context.caller.seconds_left() == 0:
        raise Unauthenticated("the credentials have expired: connect again with new ones")
    context.caller.require(operation.right)
    context.changes = operation.changes
    operation.lists.check(variables)
    cost = operation.cost(variables, context.backend.settings)
    most = context.backend.settings.max_cost
    if most and cost > most:
        message = (
            f"the operation may give {cost:,} objects, and at most {most:,} are accepted:"
            " ask for fewer with first or last"
        )
        raise TooCostly(message, cost={"requested": cost, "allowed": most}, setting="RECALLQL_MAX_COST")
    await context.guards.budgets.spend(context.caller, cost)
    return cost


@contextmanager
def reading_limits(context: Context, kind: str, copies: int) -> Iterator[None]:
    """Bound the time that the database takes for a query, and the bytes that it brings for an answer.

    A change has its own deadline; each event of a subscription has an answer of its own.
    """
    settings = context.backend.settings
    with (
        time_limit(settings.database_timeout) if kind == "query" else nullcontext(),
        answer_limit(settings.max_answer_bytes, copies=copies) if kind != "subscription" else nullcontext(),
    ):
        yield


def event_limit(context: Context) -> AbstractContextManager[None]:
    """Bounds the bytes that the database brings for one event of a subscription."""
    return answer_limit(context.backend.settings.max_answer_bytes)


def cost_report(context: Context, cost: int | None, extensions: Mapping[str, object] | None) -> dict[str, Any]:
    """What the answer's `extensions` say of the cost, where the caller or the settings ask for it."""
    asked_for = context.backend.settings.report_cost or (extensions is not None and extensions.get("cost") is True)
    if not asked_for and context.request is not None:
        asked_for = COST_HEADER in context.request.headers
    if cost is None or not asked_for:
        return {}
    return {"cost": {"requested": cost, "allowed": context.backend.settings.max_cost}}
