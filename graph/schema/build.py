"""The schema as one object, and as text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.schema.config import StrawberryConfig

from graph.execution.executor import RecallQLExecutor, SelectingExecutor
from graph.execution.internals import core_schema
from graph.execution.resolvers import replace_resolvers
from graph.schema.costs import COST, LIST_SIZE, schema_with_costs
from graph.schema.mutation import Mutation
from graph.schema.query import Query
from graph.schema.scalars import SCALARS
from graph.schema.subscription import Subscription

_DESCRIPTION = (
    "RecallQL: conversation memory for chat apps and agents. A session holds messages in order; its memory is the"
    " newest summary with the messages after it. Start with `Mutation.addMemory` and `Query.memory`."
)


def _inputs(schema: GraphQLSchema) -> Iterator[GraphQLArgument | GraphQLInputField]:
    """Yield every argument and input field of a schema."""
    for type_ in schema.type_map.values():
        if type_.name.startswith("__"):
            continue
        if isinstance(type_, GraphQLInputObjectType):
            yield from type_.fields.values()
        elif isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field in type_.fields.values():
                yield from field.args.values()


@cache
def build_schema(*, executor: type[SelectingExecutor] = RecallQLExecutor) -> strawberry.Schema:
    """Build the schema, once for a process.

    Args:
        executor: Strawberry's executor; tests compare the compiling executor with the stock one, which also gets the
            stock resolvers.
    """
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(scalar_map=SCALARS),
        execution_context_class=executor,
    )
    _complete(core_schema(schema))
    if executor is RecallQLExecutor:
        replace_resolvers(schema)
    return schema


def _complete(schema: GraphQLSchema) -> None:
    """Add the parts of the schema that Strawberry can't declare."""
    schema.description = _DESCRIPTION
    schema.directives = (*schema.directives, COST, LIST_SIZE)
    for input_ in _inputs(schema):
        if input_.default_value is None:  # Strawberry's default of an optional value
            input_.default_value = Undefined


def schema_text() -> str:
    """Return the schema in the schema definition language, in the order of declaration (`schema.graphql`)."""
    return schema_with_costs(core_schema(build_schema())) + "\n"
