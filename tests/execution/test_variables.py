"""Variables are coerced as graphql-core coerces them, whatever is sent."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse
from graphql.execution.values import VariableValues, get_variable_values

from graph.execution.internals import core_schema
from graph.execution.variables import Variables
from graph.schema.build import build_schema

UUID = "11111111-1111-4111-8111-111111111111"
SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "pieces": (
        "mutation($i: AppendMessageInput!) { appendMessage(input: $i) { nextIndex } }",
        {"i": {"uuid": UUID, "pieces": [{"index": 0, "text": "a"}, {"index": 1, "text": ""}]}},
    ),
    "an end": (
        "mutation($i: FinishMessageInput!) { finishMessage(input: $i) { message { uuid } } }",
        {"i": {"uuid": UUID, "parts": [{"type": "text", "text": "x"}], "metadata": {"a": None}}},
    ),
    "a memory": (
        "mutation($i: AddMemoryInput!) { addMemory(input: $i) { replayed } }",
        {
            "i": {
                "sessionId": "s",
                "messages": [{"role": "user", "content": "x", "createdAt": "2024-05-01T10:00:00Z", "parts": None}],
                "metadata": {"deep": [{"a": 1.5}]},
                "awaitEntities": True,
            }
        },
    ),
    "a search": (
        """query($f: MessageFilter, $m: SearchMode!, $n: Int, $t: [ID!]!) {
          search(query: "x", filter: $f, mode: $m, first: $n) { totalCount } nodes(ids: $t) { id } }""",
        {
            "f": {"roles": ["user"], "since": "2024-05-01T10:00:00Z", "hasEntity": "A"},
            "m": "LEXICAL",
            "n": 5,
            "t": ["a"],
        },
    ),
}
OTHERS: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    1.0,
    1.5,
    "",
    "x",
    UUID,
    "HYBRID",
    [],
    [None],
    {},
    {"a": 1},
    ["x", 1],
    [[]],
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each container in a value, with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in [(value, key), *places(item)]]


def changed(sent: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    result = copy.deepcopy(sent)
    for _ in range(chance.randint(0, 2)):
        if not (found := places(result)):
            break
        container, key = chance.choice(found)
        match chance.choice(["replace", "remove", "add", "copy"]):
            case "replace":
                container[key] = copy.deepcopy(chance.choice(OTHERS))
            case "remove":
                del container[key]
            case "add" if isinstance(container, dict):
                container[chance.choice(["unknown", "name", "text", "limit"])] = copy.deepcopy(chance.choice(OTHERS))
            case _ if isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
    return result


@pytest.fixture(scope="module")
def schema() -> Any:
    return core_schema(build_schema())


@pytest.mark.parametrize("name", SENT)
def test_variables_are_coerced_as_by_graphql_core(schema: Any, name: str) -> None:
    text, sent = SENT[name]
    (operation,) = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    variables, chance = Variables(schema, operation), random.Random(name)
    refused = 0
    for number in range(1_500):
        given = changed(sent, chance) if number else sent
        expected = get_variable_values(schema, operation.variable_definitions or (), copy.deepcopy(given), 50)
        found = variables.coerce(given)
        if isinstance(expected, VariableValues):
            assert isinstance(found, VariableValues), given
            # With the order, the types and the nested values.
            assert repr(found.coerced) == repr(expected.coerced), given
            assert repr(found.sources) == repr(expected.sources), given
        else:
            refused += 1
            assert isinstance(found, list)
            assert [error.message for error in found] == [error.message for error in expected], given
    assert 100 < refused < 1_400


def test_the_values_that_clients_usually_send_are_not_left_to_graphql_core(
    schema: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("graph.execution.variables.get_variable_values")
    for text, sent in SENT.values():
        (operation,) = parse(text).definitions
        assert isinstance(operation, OperationDefinitionNode)
        assert isinstance(Variables(schema, operation).coerce(sent), VariableValues)
