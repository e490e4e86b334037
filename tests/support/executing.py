"""Operations executed on the schema itself, without a server."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError

from graph.execution.executor import SelectingExecutor
from graph.execution.internals import core_schema
from graph.operations.backend import Backend
from graph.request.documents import Documents, InvalidDocument
from graph.request.masking import public_errors
from graph.request.pipeline import EVERY_KIND
from graph.schema.build import build_schema
from graph.schema.context import Context
from graph.settings import Settings

SCHEMA = core_schema(build_schema())
DOCUMENTS = Documents(SCHEMA)
UNLIMITED = Settings.model_construct(
    max_text=0,
    max_query_tokens=0,
    max_depth=0,
    max_aliases=0,
    max_directives=0,
    max_root_fields=0,
    max_fields=0,
    max_comparisons=0,
)
"""Settings that accept documents of any size, as Strawberry does."""


async def execute_prepared(
    backend: Backend, text: str, variables: dict[str, Any] | None = None
) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
    """The data and errors as the pipeline gets them, but for the limits on documents and costs."""
    try:
        operation = await DOCUMENTS.operation(text, None, EVERY_KIND, UNLIMITED)
    except InvalidDocument as invalid:
        return None, public_errors(invalid.errors, suggestions=True)
    context = Context(backend, changes=operation.changes)
    data, errors = await operation.run(variables or {}, context, {})
    return data, public_errors(errors, suggestions=True, changes=operation.changes)


async def execute_stock(
    backend: Backend,
    text: str,
    variables: dict[str, Any] | None = None,
    executor: Any = SelectingExecutor,
) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
    """The data and errors of Strawberry's own execution."""
    schema = build_schema(executor=executor)
    changes = text.lstrip().startswith("mutation")
    context = Context(backend, changes=changes)
    result = await schema.execute(text, variable_values=variables, context_value=context)
    return result.data, public_errors(result.errors or (), suggestions=True, changes=changes)
