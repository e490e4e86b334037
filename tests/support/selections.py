"""Selections of every field of a type."""

from __future__ import annotations

from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_leaf_type, is_required_argument

_ARGUMENTS = {"maxTokens": "100", "query": '"Hello"', "namespace": '["a"]', "key": '"k"'}


def every_field(schema: GraphQLSchema, name: str, depth: int, above: frozenset[str] = frozenset()) -> str:
    """Select all fields of a type, those of objects down to a depth; no type within itself."""
    type_ = schema.type_map[name]
    assert isinstance(type_, GraphQLObjectType), name
    selected = []
    for field_name, field in type_.fields.items():
        required = [key for key, argument in field.args.items() if is_required_argument(argument)]
        required += ["query"] if "maxTokens" in required else []  # a context is for a query or a session
        arguments = f"({', '.join(f'{key}: {_ARGUMENTS[key]}' for key in required)})" if required else ""
        of = get_named_type(field.type)
        if is_leaf_type(of):
            selected.append(f"{field_name}{arguments}")
        elif depth and of.name not in above | {name} and isinstance(of, GraphQLObjectType):
            below = every_field(schema, of.name, depth - 1, above | {name})
            selected.append(f"{field_name}{arguments} {{ {below} }}")
    return " ".join(selected)
