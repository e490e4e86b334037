"""Operations made from the schema itself, so that no field can be forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)

MARK = "BOBSPRIVATE"
"""What only Bob's things hold; every search looks for it."""


def selection(
    schema: GraphQLSchema,
    type_: Any,
    depth: int,
    *,
    seen: tuple[str, ...] = (),
    arguments: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Every field of a type and of what is below it, `depth` levels deep.

    Args:
        schema: where the types are.
        type_: what to select on.
        depth: how deep.
        seen: types above.
        arguments: by `Type_field`; otherwise those that are needed are given, and lists are short.
    """
    if is_leaf_type(type_):
        return ""
    parts = ["__typename"]
    if isinstance(type_, GraphQLInterfaceType):
        parts += [
            f"... on {possible.name} {selection(schema, possible, depth, seen=seen, arguments=arguments)}"
            for possible in schema.get_possible_types(type_)
        ]
        return "{ " + " ".join(parts) + " }"
    for name, field in type_.fields.items():
        below = get_named_type(field.type)
        if is_leaf_type(below):
            parts.append(f"{type_.name}_{name}: {name}")
        elif depth > 0 and seen.count(below.name) < 2:
            key = f"{type_.name}_{name}"
            given = arguments.get(key, _needed(field))
            inner = selection(schema, below, depth - 1, seen=(*seen, below.name), arguments=arguments)
            parts.append(f"{key}: {name}{given} {inner}")
    return "{ " + " ".join(parts) + " }"


def _needed(field: GraphQLField) -> str:
    """The arguments without which a field can't be selected, and the number of items of a list."""
    literals = {"query": f'"{MARK}"', "maxTokens": "200", "first": "2", "namespace": '["a"]', "key": '"k"'}
    if get_named_type(field.type).name == "ItemConnection":
        del literals["query"]  # its cursors would be those of a search
    given = ", ".join(f"{name}: {literals[name]}" for name in field.args if name in literals)
    return f"({given})" if given else ""


def values_for(type_: Any, name: str, probe: dict[str, Any]) -> Any:
    """A value for an argument or input field; those that name things are taken from the probe."""
    nullable = get_nullable_type(type_)
    if isinstance(nullable, GraphQLList):
        inner = values_for(nullable.of_type, name, probe)
        return inner if isinstance(inner, list) else [inner]
    if isinstance(nullable, GraphQLInputObjectType):
        return {
            key: values_for(field.type, key, probe)
            for key, field in nullable.fields.items()
            if key in probe or str(field.type).endswith("!")
        }
    if name in probe:
        return probe[name]
    plain = {"Int": 2, "Boolean": True, "JSON": {"a": 1}, "String": "a text", "DateTime": "2026-01-01T00:00:00Z"}
    if nullable.name in plain:
        return plain[nullable.name]
    return next(iter(nullable.values)) if hasattr(nullable, "values") else "nothing"


def operations(
    schema: GraphQLSchema, root: GraphQLObjectType, kind: str, probes: list[dict[str, Any]], depth: int
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """For each field of a root type and each probe: the field's name, an operation, and its variables.

    Args:
        schema: where the types are.
        root: the root type.
        kind: query, mutation or subscription.
        probes: values by the name of the argument or input field that they are for.
        depth: how deep to select.
    """
    for name, field in root.fields.items():
        chosen = probes if any(_takes(field, probe) for probe in probes) else [{}]
        for probe in chosen:
            taken = {
                argument: definition
                for argument, definition in field.args.items()
                if argument in probe
                or str(definition.type).endswith("!")
                or (
                    isinstance(get_nullable_type(definition.type), GraphQLInputObjectType)
                    and _input_takes(definition.type, probe)
                )
            }
            variables = {
                argument: values_for(definition.type, argument, probe) for argument, definition in taken.items()
            }
            declared = ", ".join(f"${argument}: {definition.type}" for argument, definition in taken.items())
            given = ", ".join(f"{argument}: ${argument}" for argument in taken)
            below = selection(schema, get_named_type(field.type), depth)
            head = f"{kind} Walk({declared})" if declared else f"{kind} Walk"
            yield name, f"{head} {{ {name}{f'({given})' if given else ''} {below} }}", variables


def _takes(field: GraphQLField, probe: dict[str, Any]) -> bool:
    return any(name in probe or _input_takes(argument.type, probe) for name, argument in field.args.items())


def _input_takes(type_: Any, probe: dict[str, Any]) -> bool:
    named = get_named_type(type_)
    return isinstance(named, GraphQLInputObjectType) and any(
        key in probe or _input_takes(field.type, probe) for key, field in named.fields.items() if key != "filter"
    )
