"""What would hold the event loop: large bodies and messages, costly searches, long lists."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from graph.operations.validation import MAX_CONTENT_BYTES, MAX_METADATA_BYTES
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import served_with
from tests.support.graphql_client import ADD, Client
from tests.support.live_client import socket_to
from tests.support.untyped import untyped

JSON = {"Content-Type": "application/json"}
SIZE = 8_000_000
BODIES = {
    "lists": "[" + "[]," * 400_000 + '"' + "x" * 1_000_000 + '"]',
    "numbers": "[" + "1," * 450_000 + "0]",
    "floats": "[" + "1.5," * 450_000 + "0]",
    "objects": "[" + '{"a":1},' * 240_000 + "0]",
    "keys": "{" + ",".join(f'"{number:06x}":1' for number in range(450_000)) + "}",
    "texts": "[" + '"abc",' * 450_000 + "0]",
    "commas in a text": '"' + "," * SIZE + '"',
    "one text": '"' + "\\u00e9" * (SIZE // 6) + '"',
}
TOO_MANY = {
    "lists": "[" + "[]," * (SIZE // 3) + "0]",
    "nested": "[" + "[[],1]," * (SIZE // 7) + "0]",
    "numbers": "[" + "1," * (SIZE // 2) + "0]",
    "objects": "[" + '{"a":1},' * (SIZE // 8) + "0]",
    "keys": "{" + ",".join(f'"{number:06x}":1' for number in range(SIZE // 11)) + "}",
}


@asynccontextmanager
async def pulse(client: Client) -> AsyncIterator[list[float]]:
    """The seconds that each of many small requests took, one after the other, while the block ran."""
    took: list[float] = []

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=client.http.base_url, timeout=60) as http:
            while True:
                before = time.perf_counter()
                await http.get("/health")
                took.append(time.perf_counter() - before)

    asking = asyncio.create_task(ask())
    try:
        yield took
    finally:
        asking.cancel()


@pytest.mark.parametrize("name", BODIES)
async def test_a_large_body_is_read_beside_the_loop(client: Client, name: str) -> None:
    body = f'{{"query": "{{ __typename }}", "variables": {{"x": {BODIES[name]}}}}}'.encode()
    async with pulse(client) as took:
        response = await client.http.post("/graphql", content=body, headers=JSON)
    assert response.json() == {"data": {"__typename": "Query"}}
    assert took or "text" in name  # which is read in no time


@pytest.mark.parametrize("name", TOO_MANY)
async def test_a_body_of_too_many_values_is_refused(client: Client, name: str) -> None:
    body = f'{{"query": "{{ __typename }}", "variables": {{"x": {TOO_MANY[name]}}}}}'.encode()
    async with pulse(client) as took:
        response = await client.http.post("/graphql", content=body, headers=JSON)
    assert (response.status_code, "more than 500,000 values" in response.text) == (413, True)
    assert took


@pytest.mark.parametrize("name", ["lists", "one text"])
async def test_a_large_message_of_a_websocket_is_read_beside_the_loop(client: Client, name: str) -> None:
    async with socket_to(str(client.http.base_url)) as socket:
        await socket.subscribe("{ __typename }", {"x": json.loads(BODIES[name])})
        assert (await socket.receive())["payload"] == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("end", ["", "]]", "\ud800"])
async def test_a_large_body_that_is_not_json_is_refused(client: Client, end: str) -> None:
    body = (BODIES["numbers"] + end).encode("utf-8", "surrogatepass")
    response = await client.http.post("/graphql", content=body[: None if end else -1], headers=JSON)
    assert response.status_code == 400
    assert "The body is not" in response.json()["errors"][0]["message"]


async def test_metadata_of_too_many_values_is_refused_early(client: Client) -> None:
    metadata: dict[str, Any]
    for metadata in ({"a": [[] for _ in range(400_000)]}, {f"{n}": 1 for n in range(400_000)}):
        sent = {"sessionId": "s", "messages": [{"role": "a", "content": "b", "metadata": metadata}]}
        error = await client.error(ADD, input=sent)
        assert error["code"] == "BAD_USER_INPUT"
        assert "messages[0].metadata has more than" in error["message"]
        response = await client.http.post("/api/v1/sessions/s/memory", json={"messages": sent["messages"]})
        assert (response.status_code, "metadata" in response.text) == (400, True)


async def test_large_metadata_of_many_messages_lets_others_run(client: Client) -> None:
    metadata = {"a": [1] * (MAX_METADATA_BYTES // 2 - 10)}
    messages = [{"role": "a", "content": "b", "metadata": metadata}] * 3
    added = await client.data(ADD, input={"sessionId": "s", "messages": messages})
    assert added["addMemory"]["session"]["messageCount"] == 3


async def test_long_lists_are_refused_before_their_items_are_converted(client: Client) -> None:
    messages = [{"role": "a", "content": ""}] * 100_000
    error = await client.error(ADD, input={"sessionId": "s", "messages": messages})
    assert (error["code"], "100,000 items, and at most 1,000" in error["message"]) == ("BAD_USER_INPUT", True)
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    error = await client.error(query, ids=["x"] * 400_000)
    assert (error["code"], "400,000 items, and at most 1,000" in error["message"]) == ("BAD_USER_INPUT", True)
    query = "query($f: SessionFilter) { sessions(filter: $f) { totalCount } }"
    error = await client.error(query, f={"metadata": [{"path": "a", "equals": 1}] * 100_000})
    assert (error["code"], "100,000 items" in error["message"]) == ("BAD_USER_INPUT", True)
    response = await client.http.post("/api/v1/sessions/s/memory", json={"messages": messages})
    assert (response.status_code, "100,000 items" in response.text) == (400, True)


async def test_the_largest_message_fits_however_its_json_is_escaped(client: Client) -> None:
    text = "\0" * MAX_CONTENT_BYTES
    metadata = {"a": "é" * ((MAX_METADATA_BYTES - 20) // 2)}
    messages = [{"role": "a", "content": text, "metadata": metadata}]
    added = await client.data(ADD, input={"sessionId": "s", "messages": messages, "metadata": metadata})
    assert added["addMemory"]["memory"]["messages"][0]["content"] == text


async def sessions_with_lists(database: Database, client: Client, number: int) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "a", "content": "b"}]})
    message = await database.messages.find_one({})
    assert message is not None
    metadata = {"a": [{"b": n} for n in range(10)]}
    await untyped(database, "messages").insert_many(
        [{**message, "_id": f"m{n}", "seq": n + 2, "metadata": metadata} for n in range(number)]
    )


SEARCHES = {
    "$..*" + "[*]" * 600 + ".zz": 400,
    "$..*" + "[*]" * 55 + ".zz": 429,
    "$.a[*] ? (@.b == 99999)": 200,
    "$" + ".*" * 62: 200,
}


@pytest.mark.parametrize("path", SEARCHES)
async def test_a_costly_search_lets_others_run(client: Client, database: Database, path: str) -> None:
    await sessions_with_lists(database, client, 4_000)
    async with pulse(client) as took:
        response = await client.http.post(
            "/api/v1/sessions/s/search", json={"metadata": {"where": {"jsonpath": path}}}, timeout=120
        )
    assert response.status_code == SEARCHES[path], response.text
    if response.status_code == 200:
        assert response.json() == []
        assert len(took) > 5


async def test_a_search_is_charged_for_what_it_reads(
    client: Client, database: Database, settings: Settings, mongodb_uri: str
) -> None:
    await sessions_with_lists(database, client, 400)
    search = {"metadata": {"where": {"jsonpath": "$.zz"}}}
    async with served_with(settings, mongodb_uri, service_budget=300) as bounded:
        response = await bounded.http.post("/api/v1/sessions/s/search", json=search)
        assert response.status_code == 429
        assert "your budget" in response.text
    async with served_with(settings, mongodb_uri, service_budget=500) as bounded:
        response = await bounded.http.post("/api/v1/sessions/s/search", json=search)
        assert (response.status_code, response.json()) == (200, [])


async def test_what_is_larger_than_one_transaction_takes_is_refused(client: Client) -> None:
    metadata = {"a": [1.5] * 60_000}
    answers = await asyncio.gather(
        *(
            client.send(
                ADD, input={"sessionId": f"s{n}", "messages": [{"role": "a", "content": "", "metadata": metadata}] * 8}
            )
            for n in range(3)
        )
    )
    codes = {error["extensions"]["code"] for answer in answers for error in answer.get("errors", ())}
    assert codes <= {"TOO_COSTLY", "UNAVAILABLE"}
