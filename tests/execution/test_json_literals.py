"""JSON values that are written into an operation's text, with and without variables in them."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLInputObjectType, get_named_type

from graph.schema.build import build_schema
from tests.support.graphql_client import Client

PLACES: dict[str, tuple[str, str, str]] = {
    "CreateSessionInput.metadata": (
        "",
        "createSession(input: {sessionId: %s, metadata: JSON}) { session { metadata } }",
        "session.metadata",
    ),
    "UpdateSessionInput.metadata": (
        "before: createSession(input: {sessionId: %s}) { session { id } }",
        "updateSession(input: {sessionId: %s, metadata: JSON}) { session { metadata } }",
        "session.metadata",
    ),
    "CreateUserInput.metadata": (
        "",
        "createUser(input: {userId: %s, metadata: JSON}) { user { metadata } }",
        "user.metadata",
    ),
    "UpdateUserInput.metadata": (
        "before: createUser(input: {userId: %s}) { user { id } }",
        "updateUser(input: {userId: %s, metadata: JSON}) { user { metadata } }",
        "user.metadata",
    ),
    "AddMemoryInput.metadata": (
        "",
        "addMemory(input: {sessionId: %s, messages: MESSAGE, metadata: JSON}) { memory { metadata } }",
        "memory.metadata",
    ),
    "MessageInput.metadata": (
        "",
        'addMemory(input: {sessionId: %s, messages: {role: "a", content: "", metadata: JSON}}) { memory { ...M } }',
        "memory.messages.0.metadata",
    ),
    "UpdateMessageInput.metadata": (
        "before: addMemory(input: {sessionId: %s, messages: MESSAGE}) { memory { id } }",
        'updateMessage(input: {uuid: "UUID", metadata: JSON}) { message { metadata } }',
        "message.metadata",
    ),
    "MessageInput.parts": (
        "",
        'addMemory(input: {sessionId: %s, messages: {role: "a", parts: [{type: "t", value: JSON}]}}) { memory {...P} }',
        "memory.messages.0.parts.0.value",
    ),
    "UpdateMessageInput.parts": (
        "before: addMemory(input: {sessionId: %s, messages: MESSAGE}) { memory { id } }",
        'updateMessage(input: {uuid: "UUID", parts: [{type: "t", value: JSON}]}) { message { parts } }',
        "message.parts.0.value",
    ),
    "StartMessageInput.metadata": (
        "",
        'startMessage(input: {sessionId: %s, role: "a", metadata: JSON}) { message { metadata } }',
        "message.metadata",
    ),
    "FinishMessageInput.metadata": (
        'before: startMessage(input: {sessionId: %s, role: "a", uuid: "UUID"}) { message { id } }',
        'finishMessage(input: {uuid: "UUID", metadata: JSON}) { message { metadata } }',
        "message.metadata",
    ),
    "FinishMessageInput.parts": (
        'before: startMessage(input: {sessionId: %s, role: "a", uuid: "UUID"}) { message { id } }',
        'finishMessage(input: {uuid: "UUID", parts: [{type: "t", value: JSON}]}) { message { parts } }',
        "message.parts.0.value",
    ),
    "ItemInput.value": (
        "",
        'putItems(input: {userId: %s, items: [{namespace: ["n"], key: "k", value: JSON}]}) { items { value } }',
        "items.0.value",
    ),
    "ItemFilter.equals": ("", "", ""),
    "ItemFilter.notEquals": ("", "", ""),
    "ItemFilter.greaterThan": ("", "", ""),
    "ItemFilter.atLeast": ("", "", ""),
    "ItemFilter.lessThan": ("", "", ""),
    "ItemFilter.atMost": ("", "", ""),
    "MetadataFilter.equals": ("", "", ""),
    "MetadataFilter.contains": ("", "", ""),
}
"""Every input of the scalar JSON: a mutation before, one that sends the value, and where it is in the answer."""

UUID = "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa"
HOLES = "{z: $u, kept: $k, nothing: null, list: [1, $u, {y: $u}, [$u]], below: {z: $u, deep: {z: $u}}}"
FILLED: dict[str, Any] = {"kept": "k", "nothing": None, "list": [1, None, {}, [None]], "below": {"deep": {}}}


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value[int(key) if key.isdecimal() else key]
    return value


def _mutation(parts: tuple[str, ...], value: str, definitions: str = "") -> str:
    values = {"%s": '"s"', "MESSAGE": '{role: "a", content: "b", uuid: "UUID"}', "UUID": UUID, "JSON": value}
    whole = "\n".join(parts)
    for name, text in values.items():
        whole = whole.replace(name, text)
    fragment = "fragment M on Memory { messages { metadata } }" if "...M" in whole else ""
    fragment += "fragment P on Memory { messages { parts } }" if "...P" in whole else ""
    return f"mutation{definitions} {{ {whole} }} {fragment}"


def test_every_json_input_is_tried_here() -> None:
    inputs = [kind for kind in build_schema()._schema.type_map.values() if isinstance(kind, GraphQLInputObjectType)]
    found = {
        f"{kind.name}.{name}"
        for kind in inputs
        for name, field in kind.fields.items()
        if get_named_type(field.type).name == "JSON"
    }
    assert found == PLACES.keys()


@pytest.mark.parametrize("place", [place for place in PLACES if PLACES[place][1]])
async def test_a_variable_left_out_leaves_its_key_out_and_is_null_in_a_list(client: Client, place: str) -> None:
    *parts, answer = PLACES[place]
    query = _mutation(tuple(parts), HOLES, "($u: JSON, $k: String!)")
    data = await client.data(query, k="k")
    (name,) = data.keys() - {"before"}
    found = _at(data[name], answer)
    # In an update of metadata, a null takes its key away.
    merged = place.startswith(("Update", "Finish")) and place.endswith(".metadata")
    expected = {n: v for n, v in FILLED.items() if v is not None} if merged else FILLED
    assert found == expected


async def test_a_filter_leaves_the_key_out_too(client: Client) -> None:
    for name, value in (("a", {"plan": {}}), ("b", {"plan": {"z": 1}})):
        await client.data(
            "mutation($i: CreateSessionInput!) { createSession(input: $i) { session { id } } }",
            i={"sessionId": name, "metadata": value},
        )
    query = """query($u: JSON) {
        sessions(filter: {metadata: [{path: "plan", equals: {z: $u}}]}) { edges { node { sessionId } } } }"""
    assert (await client.data(query))["sessions"]["edges"] == [{"node": {"sessionId": "a"}}]
    assert (await client.data(query, u=1))["sessions"]["edges"] == [{"node": {"sessionId": "b"}}]


async def test_a_null_that_is_sent_is_not_left_out(client: Client) -> None:
    query = _mutation(("createSession(input: {sessionId: %s, metadata: JSON}) { session { metadata } }",), "{z: $u}")
    data = await client.data(query.replace("mutation", "mutation($u: JSON)", 1), u=None)
    assert data["createSession"]["session"]["metadata"] == {"z": None}


async def test_a_variable_of_another_type_is_kept_as_json(client: Client) -> None:
    query = """mutation($t: DateTime, $o: OrderDirection, $n: [Int]) {
        createSession(input: {sessionId: "s", metadata: {t: $t, o: $o, n: $n}}) { session { metadata } } }"""
    data = await client.data(query, t="2026-01-31T13:00:00+01:00", o="DESC", n=[1, None])
    assert data["createSession"]["session"]["metadata"] == {
        "t": "2026-01-31T12:00:00.000Z",
        "o": "DESC",
        "n": [1, None],
    }


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 5_000, "1e999"])
@pytest.mark.parametrize("place", PLACES)
async def test_a_number_that_no_float_holds_is_refused(client: Client, place: str, number: str) -> None:
    *parts, _ = PLACES[place]
    for value in (f"{{a: {number}}}", f"{{a: [{{b: {number}}}]}}"):
        query = _mutation(("", parts[1]), value)
        if not parts[1]:
            field = place.partition(".")[2]
            query = f'{{ sessions(filter: {{metadata: [{{path: "a", {field}: {value}}}]}}) {{ edges {{ cursor }} }} }}'
        error = await client.error(query)
        assert error["code"] == "BAD_USER_INPUT"
        assert number[:20] in error["message"]
        assert len(error["message"]) < 300


async def test_a_default_that_no_float_holds_is_refused(client: Client) -> None:
    query = """query($m: JSON! = {a: 1e400}) {
        sessions(filter: {metadata: [{path: "a", equals: $m}]}) { edges { cursor } } }"""
    assert (await client.error(query))["code"] == "BAD_USER_INPUT"
