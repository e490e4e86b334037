"""The schema as one object, and as text."""

from __future__ import annotations

from functools import cache
from typing import Any

import strawberry
from graphql import GraphQLError, lexicographic_sort_schema, print_schema
from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import DEFAULT_ALLOWED_OPERATION_TYPES
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from graph.execution.executor import RecallQLExecutor, SelectingExecutor
from graph.schema.documents import Documents, kept_documents
from graph.schema.errors import public_error, without_suggestion
from graph.schema.guard import Guard
from graph.schema.mutation import Mutation
from graph.schema.phases import Phases
from graph.schema.query import Query
from graph.schema.scalars import SCALARS
from graph.schema.subscription import Subscription


class _Schema(strawberry.Schema):
    async def execute(self, *given: Any, **named: Any) -> ExecutionResult:
        """Execute a query or mutation; a subscription is for `stream` alone."""
        allowed = set(named.get("allowed_operation_types") or DEFAULT_ALLOWED_OPERATION_TYPES)
        named["allowed_operation_types"] = allowed - {OperationType.SUBSCRIPTION}
        return await super().execute(*given, **named)

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> SchemaExtensionsRunner:
        """What runs the extensions of one operation."""
        return Phases(execution_context, extensions)

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Give every error of every result its code, and mask and log what is unforeseen, on whatever transport.

        In place: Strawberry hands over the list that the result has.
        """
        errors[:] = [public_error(error) for error in errors]
        if execution_context is not None and not execution_context.context.backend.settings.suggestions:
            errors[:] = [without_suggestion(error) for error in errors]


@cache
def build_schema(*, executor: type[SelectingExecutor] = RecallQLExecutor, cached: bool = True) -> strawberry.Schema:
    """The schema, made once a process.

    Args:
        executor: what executes operations; tests compare the one that compiles with the stock one.
        cached: whether parsed and validated documents are kept for the next request with the same text.
    """
    kept = kept_documents() if cached else None
    return _Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(scalar_map=SCALARS),
        execution_context_class=executor,
        extensions=[lambda: Documents(kept), Guard],
    )


def schema_text() -> str:
    """The schema in the schema definition language, sorted: the content of `schema.graphql`."""
    return print_schema(lexicographic_sort_schema(build_schema()._schema)) + "\n"  # noqa: SLF001 - graphql-core's own schema
