"""The sizes and weights that the schema prints are those that an operation is charged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    DirectiveNode,
    FieldDefinitionNode,
    GraphQLField,
    GraphQLObjectType,
    ObjectTypeDefinitionNode,
    OperationDefinitionNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    parse,
    value_from_ast_untyped,
)
from graphql import build_schema as schema_of
from graphql.utilities import build_client_schema, introspection_from_schema

from graph.execution.size import MUTATION
from graph.operations.validation import MAX_NODES
from graph.request.cost import operation_cost
from graph.schema.build import build_schema, schema_text
from graph.settings import Settings
from tests.support.graphql_client import OCTAVIA, Client
from tests.support.memory import add

SCHEMA = build_schema()._schema
NAIVE = """{
  sessions { edges { node { sessionId memory { messages {
    content entities { name matches { start end text } }
  } } } } }
}"""
NAIVE_HISTORY = """{
  sessions { edges { node { sessionId messages { edges { node {
    content entities { name matches { start end text } }
  } } } } } }
}"""


def cost(query: str) -> int:
    document = parse(query)
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return operation_cost(SCHEMA, document, operation, {}, Settings.model_construct())


def printed() -> Iterator[tuple[str, str, dict[str, dict[str, Any]]]]:
    """Each field of an object type, with the arguments of its directives."""
    for definition in parse(schema_text()).definitions:
        if isinstance(definition, ObjectTypeDefinitionNode):
            for node in definition.fields or ():
                yield definition.name.value, node.name.value, arguments_of(node)


def arguments_of(node: FieldDefinitionNode) -> dict[str, dict[str, Any]]:
    def of(directive: DirectiveNode) -> dict[str, Any]:
        return {item.name.value: value_from_ast_untyped(item.value) for item in directive.arguments or ()}

    return {directive.name.value: of(directive) for directive in node.directives or ()}


SIZED = {(parent, name): found["listSize"] for parent, name, found in printed() if "listSize" in found}


def field_of(parent: str, name: str) -> GraphQLField:
    type_ = SCHEMA.get_type(parent)
    assert isinstance(type_, GraphQLObjectType)
    field: GraphQLField = type_.fields[name]
    return field


def ways() -> dict[str, tuple[str, ...]]:
    """The fields that lead from a root to each object type, of which none sizes lists of that type."""
    found: dict[str, tuple[str, ...]] = {"Query": (), "Mutation": ()}
    waiting = ["Query", "Mutation"]
    for name in waiting:
        type_ = SCHEMA.get_type(name)
        assert isinstance(type_, GraphQLObjectType)
        for field_name, field in type_.fields.items():
            if "edges" not in SIZED.get((name, field_name), {}).get("sizedFields", ["edges"]):
                continue
            below = get_named_type(field.type)
            if isinstance(below, GraphQLObjectType) and below.name not in found:
                found[below.name] = (*found[name], field_name)
                waiting.append(below.name)
    return found


WAYS = ways()


def at(parent: str, inner: str) -> str:
    """An operation that selects `inner` on one object of the type, as far as arguments can say so."""
    way = WAYS[parent]
    root = SCHEMA.mutation_type
    assert root is not None
    kind = "mutation " if parent == "Mutation" or (way and way[0] in root.fields) else ""
    for field in reversed(way):
        inner = f"{field}{ONE.get(field, '')} {{ {inner} }}"
    return f"{kind}{{ {inner} }}"


ONE = {
    name: f"({sized['slicingArguments'][0]}: 1)" for (_, name), sized in SIZED.items() if "slicingArguments" in sized
}


def charged(parent: str, name: str, arguments: str, below: str) -> int:
    """The objects that are charged for a field, beside those that lead to it."""
    once, again = (f"{alias}: {name}{arguments} {{ {below} }}" for alias in ("a", "b"))
    return cost(at(parent, f"{once} {again}")) - cost(at(parent, once))


def leaf_of(field: GraphQLField) -> str:
    type_ = get_named_type(field.type)
    fields = type_.fields if isinstance(type_, GraphQLObjectType) else {}
    return next((name for name, below in fields.items() if is_leaf_type(get_named_type(below.type))), "__typename")


def test_every_list_of_objects_prints_its_size() -> None:
    unsized = []
    for parent, name, _ in printed():
        field = field_of(parent, name)
        if is_leaf_type(get_named_type(field.type)) or not is_list_type(get_nullable_type(field.type)):
            continue
        holders = [key for key in SIZED if get_named_type(field_of(*key).type).name == parent]
        of_its_holders = bool(holders) and all(name in SIZED[key].get("sizedFields", ()) for key in holders)
        if (parent, name) not in SIZED and not of_its_holders:
            unsized.append(f"{parent}.{name}")
    assert unsized == []


@pytest.mark.parametrize("key", SIZED, ids=".".join)
def test_the_printed_size_is_charged(key: tuple[str, str]) -> None:
    parent, name = key
    sized, field = SIZED[key], field_of(parent, name)
    given = f"(ids: {[str(number) for number in range(MAX_NODES)]})".replace("'", '"') if "ids" in field.args else ""
    for arguments, expected in [
        (given, sized["assumedSize"]),
        *((f"({argument}: 3)", 3) for argument in sized.get("slicingArguments", ())),
    ]:
        if "sizedFields" in sized:
            for below in sized["sizedFields"]:
                inner = f"{below} {{ __typename }}"
                weight = MUTATION * (parent == "Mutation")
                assert charged(parent, name, arguments, inner) == weight + 1 + expected, (arguments, below)
        else:
            assert charged(parent, name, arguments, leaf_of(field)) == expected, arguments


def test_the_printed_weight_of_a_mutation_is_charged() -> None:
    weights = {name: found["cost"]["weight"] for _, name, found in printed() if "cost" in found}
    mutation = SCHEMA.mutation_type
    assert mutation is not None
    assert weights.keys() == mutation.fields.keys()
    for name, weight in weights.items():
        assert cost(f"mutation {{ {name} {{ __typename }} }}") == int(weight) + 1


def test_the_printed_schema_stands_by_itself() -> None:
    schema = schema_of(schema_text())
    assert {"cost", "listSize"} <= {directive.name for directive in schema.directives}


def test_introspection_lists_the_directives() -> None:
    schema = build_client_schema(introspection_from_schema(SCHEMA))
    assert {"cost", "listSize"} <= {directive.name for directive in schema.directives}


@pytest.mark.parametrize("query", [NAIVE, NAIVE_HISTORY])
async def test_the_naive_nested_query_passes_the_default_limit(client: Client, query: str) -> None:
    await add(client, "chat", OCTAVIA)
    assert cost(query) <= Settings.model_construct().max_cost
    found = await client.data(query)
    assert [edge["node"]["sessionId"] for edge in found["sessions"]["edges"]] == ["chat"]
