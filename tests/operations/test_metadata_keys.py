"""Metadata with keys that mean something to MongoDB: stored and returned exactly, filtered by, and merged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from graph.store import sessions, users
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from graph.zep.importer import Importer
from tests.support.contents import everything, exported, imported, parsed
from tests.support.graphql_client import ADD, Client
from tests.support.sessions import LIST, UPDATE, create, listed
from tests.support.transfer import ndjson, said

ODD: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$ref": "#/$defs/place",
    "$id": "tool",
    "$db": "d",
    "$defs": {"place": {"$ref": "x", "$id": 1, "type": "object", "a.b": {"$": [None, {"$set": {"$date": 1}}]}}},
    "$$ROOT": "$$ROOT",
    "$": 0,
    "a.b": {"c.": 1, ".d": 2},
    "": {"": "empty"},
    "tools": [{"name": "search", "$ref": "#/a"}, {"$ref": "#/b", "$id": "2", "$db": "z"}, ["x", {"$y": None}]],
    "$where": "function() {}",
    "nothing": None,
}
USERS = """mutation($input: CreateUserInput!) { createUser(input: $input) { user { metadata } } }"""
READ = """query($s: ID!, $u: ID!) {
  session(sessionId: $s) { metadata memory { metadata messages { metadata } } }
  memory(sessionId: $s) { metadata messages { uuid metadata } }
  user(userId: $u) { metadata sessions { edges { node { metadata } } } } }"""


async def test_any_keys_are_stored_and_returned_exactly(client: Client) -> None:
    assert (await client.data(USERS, input={"userId": "u", "metadata": ODD}))["createUser"]["user"]["metadata"] == ODD
    assert (await create(client, "s", metadata=ODD, userId="u"))["metadata"] == ODD
    messages = [{"role": "ai", "content": "x", "metadata": ODD}]
    added = (await client.data(ADD, input={"sessionId": "s", "messages": messages, "metadata": ODD}))["addMemory"]
    without = {key: value for key, value in ODD.items() if value is not None}  # a null that is merged in takes away
    assert (added["memory"]["metadata"], added["session"]["metadata"]) == (ODD, without)
    assert added["memory"]["messages"][0]["metadata"] == ODD
    read = await client.data(READ, s="s", u="u")
    assert read["session"]["metadata"] == read["memory"]["metadata"] == without
    assert read["user"]["metadata"] == ODD
    assert read["session"]["memory"]["messages"][0]["metadata"] == ODD
    assert read["user"]["sessions"]["edges"][0]["node"]["metadata"] == without


async def test_a_session_that_addmemory_makes_has_them_too(client: Client) -> None:
    messages = [{"role": "ai", "content": "x", "metadata": {"$ref": "a"}}]
    added = (await client.data(ADD, input={"sessionId": "s", "messages": messages, "metadata": ODD}))["addMemory"]
    assert {**added["session"]["metadata"], "nothing": None} == added["memory"]["metadata"] == ODD


async def test_zep_s_routes_take_give_and_find_them(client: Client) -> None:
    for path, body in (
        ("user", {"user_id": "u", "metadata": ODD}),
        ("sessions", {"session_id": "s", "metadata": ODD}),
        ("sessions/s/memory", {"messages": [{"role": "a", "content": "b", "metadata": ODD}]}),
    ):
        assert (await client.http.post(f"/api/v1/{path}", json=body)).is_success
    assert (await client.http.get("/api/v1/user/u")).json()["metadata"] == ODD
    assert (await client.http.get("/api/v1/sessions/s")).json()["metadata"] == ODD
    memory = (await client.http.get("/api/v1/sessions/s/memory")).json()
    assert memory["metadata"] == memory["messages"][0]["metadata"] == ODD
    for path, found in (
        ('$."$defs".place ? (@."$ref" == "x")', 1),
        ('$."a.b" ? (@."c." == 1)', 1),
        ('$.tools[*] ? (@."$id" == "2")', 1),
        ('$ ? (@."$ref" starts with "#/$")', 1),
        ('$ ? (@."$ref" == "y")', 0),
    ):
        query = {"metadata": {"where": {"jsonpath": path}}}
        response = await client.http.post("/api/v1/sessions/s/search", json=query)
        assert len(response.json()) == found, path
    change = {"$ref": None, "a.b": {"$new": 1}}
    response = await client.http.patch("/api/v1/sessions/s", json={"metadata": change})
    assert response.json()["metadata"]["a.b"] == {**ODD["a.b"], "$new": 1}
    assert "$ref" not in response.json()["metadata"]


async def test_exports_and_imports_carry_them(database: Database, target: Database) -> None:
    messages = [NewMessage("a", "b", 1, ODD)]
    await users.create_user(database, "u", {"metadata": ODD})
    await sessions.create_session(database, EVERYTHING, "s", user_id="u", metadata=ODD)
    await add_memory(database, EVERYTHING, NewMemory("s", messages, ODD))
    file = await exported(database)
    await imported(target, file)
    assert await everything(target) == await everything(database)
    assert parsed(await exported(target)) == parsed(file)
    await imported(target, ndjson(*said("given", "x", metadata=ODD)))
    message = await target.messages.find_one({"sessionId": "given"})
    assert message is not None
    assert message["metadata"] == ODD


async def test_an_import_from_a_zep_server_carries_them(client: Client, app: Starlette, target: Database) -> None:
    await client.data(USERS, input={"userId": "u", "metadata": ODD})
    await create(client, "s", metadata=ODD, userId="u")
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "a", "content": "b", "metadata": ODD}]})
    backend = replace(app.state.backend, database=target)
    async with httpx.AsyncClient(base_url=f"{client.http.base_url}/api/v1/", timeout=60) as http:
        await Importer(backend, http, lambda _: None).run()
    for collection in (target.users, target.sessions, target.messages):
        (document,) = await collection.find()
        assert document["metadata"] == ODD


async def test_updates_reach_any_keys(client: Client) -> None:
    await create(client, "s", metadata=ODD)
    change = {"$ref": None, "$defs": {"place": {"$id": None, "a.b": {"$": 5}, "$new": {"x.y": 1}}}, "a.b": {"c.": None}}
    updated = (await client.data(UPDATE, input={"sessionId": "s", "metadata": change}))["updateSession"]["session"]
    expected = {key: value for key, value in ODD.items() if key != "$ref"}
    expected["$defs"] = {"place": {"$ref": "x", "type": "object", "a.b": {"$": 5}, "$new": {"x.y": 1}}}
    expected["a.b"] = {".d": 2}
    assert updated["metadata"] == expected
    uuid = "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa"
    await client.data(
        ADD, input={"sessionId": "s", "messages": [{"role": "a", "content": "b", "uuid": uuid, "metadata": ODD}]}
    )
    query = "mutation($i: UpdateMessageInput!) { updateMessage(input: $i) { message { metadata } } }"
    message = (await client.data(query, i={"uuid": uuid, "metadata": change}))["updateMessage"]["message"]
    assert message["metadata"] == expected
    await client.data(USERS, input={"userId": "u", "metadata": ODD})
    query = "mutation($i: UpdateUserInput!) { updateUser(input: $i) { user { metadata } } }"
    assert (await client.data(query, i={"userId": "u", "metadata": change}))["updateUser"]["user"][
        "metadata"
    ] == expected


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"path": "$schema", "equals": ODD["$schema"]}, "o"),
    ({"path": "$ref", "equals": "#/$defs/place"}, "o"),
    ({"path": "$defs.place.$ref", "equals": "x"}, "o"),
    ({"path": "$defs.place", "equals": ODD["$defs"]["place"]}, "o"),
    ({"path": "a.b.c.", "equals": 1}, "!"),
    ({"path": "a.b", "equals": {"c.": 1, ".d": 2}}, ""),
    ({"segments": ["a.b"], "equals": {".d": 2, "c.": 1}}, "o"),
    ({"segments": ["a.b", "c."], "equals": 1}, "o"),
    ({"segments": ["", ""], "equals": "empty"}, "o"),
    ({"segments": "$", "equals": 0}, "o"),
    ({"segments": ["$$ROOT"], "equals": "$$ROOT"}, "o"),
    ({"segments": ["$defs", "place", "a.b", "$", "1", "$set", "$date"], "equals": 1}, "o"),
    ({"segments": ["tools", "1", "$ref"], "equals": "#/b"}, "o"),
    ({"segments": ["tools", "1"], "equals": {"$id": "2", "$db": "z", "$ref": "#/b"}}, "o"),
    ({"segments": ["tools", "2", "1", "$y"], "equals": None}, "o"),
    ({"segments": ["tools", "2", "1", "$z"], "equals": None}, ""),
    ({"segments": ["tools", "7", "$ref"], "equals": "#/b"}, ""),
    ({"segments": ["tools", "01", "$ref"], "equals": "#/b"}, ""),
    ({"segments": ["map", "1"], "equals": "key"}, "n"),
    ({"path": "map.1", "equals": "key"}, "n"),
    ({"path": "tools.1.$ref", "equals": "#/b"}, ""),
    ({"path": "tools", "contains": {"$ref": "#/a", "name": "search"}}, "o"),
    ({"path": "tools", "contains": {"name": "search"}}, ""),
    ({"path": "tags", "contains": "x"}, "t"),
    ({"path": "tags", "contains": None}, "t"),
    ({"path": "tags", "contains": ["y"]}, "t"),
    ({"path": "tags", "contains": "y"}, ""),
    ({"path": "map", "contains": "key"}, ""),
    ({"path": "absent", "contains": None}, ""),
    ({"path": "nothing", "equals": None}, "on"),
    ({"path": "nothing", "exists": True}, "on"),
    ({"path": "nothing", "exists": False}, "et"),
    ({"path": "nothing.below", "equals": None}, ""),
    ({"path": "nothing.below", "exists": False}, "oent"),
    ({"path": "map.1", "exists": True}, "n"),
    ({"path": "tags.0", "exists": True}, ""),
    ({"segments": ["tags", "0"], "exists": True}, "t"),
    ({"segments": ["tags", "3"], "exists": False}, "oent"),
    ({"path": "map", "equals": {"1": "key", "deep": {"z": None}}}, "n"),
    ({"path": "map", "equals": {"1": "key", "deep": {"y": None}}}, ""),
    ({"path": "map.deep.z", "equals": None}, "n"),
]


async def test_filters_reach_any_keys_and_tell_null_from_absent(client: Client) -> None:
    for name, metadata in (
        ("o", ODD),
        ("e", {}),
        ("n", {"nothing": None, "map": {"1": "key", "deep": {"z": None}}}),
        ("t", {"tags": ["x", None, ["y"]]}),
    ):
        await create(client, name, metadata=metadata)
        await asyncio.sleep(0.002)
    for wanted, expected in FILTERS:
        if expected == "!":
            assert (await client.error(LIST, filter={"metadata": wanted}))["code"] == "BAD_USER_INPUT"
        else:
            assert "".join(await listed(client, filter={"metadata": wanted})) == expected, wanted


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"equals": 1},
        {"path": "a"},
        {"path": "a", "segments": ["a"], "equals": 1},
        {"path": "a", "equals": 1, "exists": True},
        {"path": "a", "equals": 1, "contains": 1},
        {"path": "a", "exists": None},
        {"segments": [], "equals": 1},
        {"segments": ["a"] * 33, "equals": 1},
        {"segments": ["a\0"], "equals": 1},
        {"segments": ["\ud800"], "equals": 1},
        {"path": "a", "contains": {"a\0": 1}},
    ],
)
async def test_a_condition_of_another_form_is_refused(client: Client, wanted: dict[str, Any]) -> None:
    error = await client.error(LIST, filter={"metadata": wanted})
    assert error["code"] == "BAD_USER_INPUT"
    assert "filter.metadata[0]" in error["message"]


LEAVES: dict[str, list[dict[str, Any]]] = {
    "10,000 keys": [{"path": "a", "equals": {f"k{n}": n for n in range(10_000)}}],
    "20 lists of 100,000 items": [{"path": "a", "equals": [0] * 100_000}] * 20,
    "65 leaves": [{"path": "a", "equals": {f"k{n}": n for n in range(65)}}],
    "65 leaves in all": [{"path": "a", "equals": [[]] * 32}, {"path": "b", "contains": [{}] * 33}],
    "long texts": [{"path": "a", "equals": "x" * 140_000}] * 2,
    "long paths": [{"segments": ["x" * 140_000], "exists": True}] * 2,
}


@pytest.mark.parametrize("name", LEAVES)
async def test_a_filter_is_bounded(client: Client, name: str) -> None:
    error = await client.error(LIST, filter={"metadata": LEAVES[name]})
    assert error["code"] == "BAD_USER_INPUT"
    # The bound on the values of a request's JSON is met first where there are millions.
    assert ("JSON has more than" if "100,000" in name else "filter.metadata[") in error["message"]


async def test_all_filters_of_an_operation_are_bounded_together(client: Client) -> None:
    half = [{"path": "a", "equals": {f"k{n}": n for n in range(33)}}]
    query = "query($f: SessionFilter) { a: sessions(filter: $f) { totalCount } b: sessions(filter: $f) { totalCount } }"
    answer = await client.send(query, f={"metadata": half})
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "64" in error["message"]
    single = await client.data(query.replace("b: sessions(filter: $f) { totalCount }", ""), f={"metadata": half})
    assert single == {"a": {"totalCount": 0}}


async def test_the_largest_filter_is_answered(client: Client) -> None:
    deep: Any = {f"k{n}": n for n in range(45)}
    for _ in range(31):
        deep = {"$d": deep}
    await create(client, "s", metadata={"$d": {"$d": deep["$d"]["$d"]}, "tags": ["x"]})
    wanted = [{"segments": ["$x"] * 32, "equals": deep}, *({"path": "tags", "contains": "x"} for _ in range(19))]
    assert await listed(client, filter={"metadata": wanted}) == []
    wanted[0] = {"segments": ["$d"], "equals": {"$d": deep["$d"]["$d"]}}
    assert await listed(client, filter={"metadata": wanted}) == ["s"]
