"""The schema as one object, and as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from graph.execution.executor import RecallQLExecutor, SelectingExecutor
from graph.execution.resolvers import replace_resolvers
from graph.request.admission import Guard, admit, cost_report, reading_limits
from graph.request.documents import Documents, PreparedDocuments
from graph.request.masking import public_errors
from graph.schema.context import Context
from graph.schema.costs import COST, LIST_SIZE, schema_with_costs
from graph.schema.mutation import Mutation
from graph.schema.query import Query
from graph.schema.scalars import SCALARS
from graph.schema.subscription import Subscription

_AT_ONCE = frozenset({OperationType.QUERY, OperationType.MUTATION})
"""What has one answer; a subscription is for `stream` alone."""


class _Schema(strawberry.Schema):
    def __init__(self, documents: Documents, **named: Any) -> None:
        super().__init__(**named)
        self.documents = documents
        self._schema.description = _DESCRIPTION
        self._schema.directives = (*self._schema.directives, COST, LIST_SIZE)
        for input_ in _inputs(self._schema):
            if input_.default_value is None:  # Strawberry's way to say that it may be absent
                input_.default_value = Undefined

    async def execute(self, *given: Any, **named: Any) -> ExecutionResult:
        """Execute a query or mutation."""
        named["allowed_operation_types"] = _AT_ONCE & set(named.get("allowed_operation_types") or _AT_ONCE)
        return await super().execute(*given, **named)

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Give every error of every result its code, and mask and log what is unforeseen, on whatever transport.

        In place: Strawberry hands over the list that the result has.
        """
        context: Context | None = None if execution_context is None else execution_context.context
        errors[:] = public_errors(errors, suggestions=True) if context is None else _public(errors, context)


class _PreparedSchema(_Schema):
    """Runs what is valid without Strawberry's phases, which cost more than a small request's work.

    Whatever is not plainly right (a document with errors, an unknown operation, a kind that is not allowed) goes
    Strawberry's way, which says what is wrong.
    """

    def __init__(self, documents: Documents, **named: Any) -> None:
        super().__init__(documents, **named)
        replace_resolvers(self)

    async def execute(  # noqa: PLR0917 - as Strawberry's
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Execute a query or mutation."""
        context: Context = context_value
        text, variables = query or "", variable_values or {}
        operation = self.documents.prepare(text, context.backend.settings, self._schema).operations.get(operation_name)
        allowed = _AT_ONCE if allowed_operation_types is None else _AT_ONCE.intersection(allowed_operation_types)
        if operation is None or operation.kind not in allowed:
            return await super().execute(
                query,
                variable_values=variable_values,
                context_value=context_value,
                root_value=root_value,
                operation_name=operation_name,
                allowed_operation_types=allowed,
                operation_extensions=operation_extensions,
            )
        cost, data, errors = None, None, None
        try:
            cost = await admit(context, text, operation, variables)
            with reading_limits(context, operation.kind.value, operation.copies):
                data, errors = await operation.run(variables, context, operation_extensions)
        except Exception as error:  # noqa: BLE001 - of any kind: `public_errors` distinguishes them
            errors = [GraphQLError(str(error), original_error=error)]
        if errors:
            errors = _public(errors, context)
        return ExecutionResult(data, errors or None, cost_report(context, cost, operation_extensions))


def _public(errors: Iterable[GraphQLError], context: Context) -> list[GraphQLError]:
    """The errors of a result as the caller may see them."""
    return public_errors(
        errors,
        suggestions=context.backend.settings.suggestions,
        changes=context.changes,
        names_settings=context.caller.may_know_settings,
    )


_DESCRIPTION = (
    "RecallQL: conversation memory for chat apps and agents. A session holds messages in order; its memory is the"
    " newest summary with the messages after it. Start with `Mutation.addMemory` and `Query.memory`."
)


def _inputs(schema: GraphQLSchema) -> Iterator[GraphQLArgument | GraphQLInputField]:
    """Every argument and input field of a schema."""
    for type_ in schema.type_map.values():
        if type_.name.startswith("__"):
            continue
        if isinstance(type_, GraphQLInputObjectType):
            yield from type_.fields.values()
        elif isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field in type_.fields.values():
                yield from field.args.values()


@cache
def build_schema(*, executor: type[SelectingExecutor] = RecallQLExecutor, cached: bool = True) -> strawberry.Schema:
    """The schema, made once a process.

    Args:
        executor: what executes operations; tests compare the one that compiles with the stock one.
        cached: whether parsed and validated documents are kept for the next request with the same text.
    """
    documents = Documents(cached=cached)
    kind = _PreparedSchema if cached and executor is RecallQLExecutor else _Schema
    return kind(
        documents,
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(scalar_map=SCALARS),
        execution_context_class=executor,
        extensions=[lambda: PreparedDocuments(documents), lambda: Guard(documents)],
    )


def schema_text() -> str:
    """The schema in the schema definition language, in the order of declaration: the content of `schema.graphql`."""
    return schema_with_costs(build_schema()._schema) + "\n"  # noqa: SLF001 - graphql-core's own schema
