"""Direct calls of Strawberry's resolvers, with the arguments that they declare.

Strawberry wraps every resolver in a chain of functions for extensions, permissions and exception handlers, and reads
the resolver's signature at every call. The functions here read the signature once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLObjectType

from graph.execution.arguments import arguments_of
from graph.execution.fields import definition_of
from graph.execution.internals import core_schema
from graph.telemetry.steps import Kind, is_observed, step


def replace_resolvers(strawberry_schema: strawberry.Schema) -> None:
    """Replace the resolvers of a schema's asynchronous fields without extensions by direct calls."""
    schema = core_schema(strawberry_schema)
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and type_ is not schema.subscription_type and type_.extensions:
            for field in type_.fields.values():
                definition = definition_of(field)
                if definition.base_resolver and definition.is_async and not definition.extensions:
                    field.resolve = _resolver(type_.name, field, strawberry_schema)


def _resolver(type_name: str, field: GraphQLField, strawberry_schema: Any) -> Callable[..., Any]:
    definition = definition_of(field)
    declared = definition.base_resolver
    function = declared.wrapped_func
    arguments = arguments_of(field, strawberry_schema)
    info_class = strawberry_schema.config.info_class
    source_names = [found.name for found in (declared.parent_parameter, declared.root_parameter) if found]
    info_name = declared.info_parameter.name if declared.info_parameter else None
    takes_self = bool(declared.self_parameter)
    place = f"{type_name}.{definition.python_name}"

    def resolve(source: object, raw_info: object, **values: object) -> Any:
        info = info_class(raw_info, definition)
        keywords = arguments.convert(values, info)
        for name in source_names:
            keywords[name] = source
        if info_name is not None:
            keywords[info_name] = info
        found = function(source, **keywords) if takes_self else function(**keywords)
        return _observed(place, found) if is_observed(Kind.RESOLVER) else found

    return resolve


async def _observed(name: str, found: Awaitable[object]) -> object:
    with step(Kind.RESOLVER, name):
        return await found
