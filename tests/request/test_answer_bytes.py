"""The bytes of an answer are bounded while it is read: pages get shorter, other answers are refused."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from graph.schema.node import global_id
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import served_with
from tests.support.graphql_client import Client
from tests.support.server_process import served

LIMIT = 300_000
SLACK = 20_000
"""Bytes of an answer beside what is read: names, punctuation, cursors."""
COUNT = 40
ADD = "mutation ($input: AddMemoryInput!) { addMemory(input: $input) { replayed } }"
PAGE = """query ($first: Int, $after: String, $last: Int, $before: String) { session(sessionId: "s") {
  messages(first: $first, after: $after, last: $last, before: $before) {
    edges { node { seq content } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""


@pytest.fixture
async def filled(settings: Settings, mongodb_uri: str, database: Database) -> AsyncIterator[Client]:
    del database
    async with bounded(settings, mongodb_uri) as client:
        yield client


@asynccontextmanager
async def bounded(settings: Settings, mongodb_uri: str, **changes: Any) -> AsyncIterator[Client]:
    """A client of a session with 40 messages of 50 KB, more than six answers may have."""
    async with served_with(settings, mongodb_uri, **{"max_answer_bytes": LIMIT, **changes}) as client:
        text = "words " * 8_333
        sent = [{"role": "human", "content": text} for _ in range(COUNT)]
        await client.data(ADD, input={"sessionId": "s", "messages": sent, "userId": "ada"})
        yield client


async def sent(client: Client, query: str, **variables: Any) -> tuple[dict[str, Any], int]:
    """The answer, and its bytes."""
    response = await client.http.post("/graphql", json={"query": query, "variables": variables})
    return response.json(), len(response.content)


async def test_a_page_is_shorter_and_says_that_there_is_more(filled: Client) -> None:
    seen: list[int] = []
    after = None
    pages = 0
    while pages < COUNT:
        answer, size = await sent(filled, PAGE, first=COUNT, after=after)
        assert "errors" not in answer
        assert size < LIMIT + SLACK
        found = answer["data"]["session"]["messages"]
        seen += [edge["node"]["seq"] for edge in found["edges"]]
        after = found["pageInfo"]["endCursor"]
        pages += 1
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert seen == list(range(1, COUNT + 1))
    assert pages == -(-COUNT // 5)


async def test_a_page_backwards_is_shorter_too(filled: Client) -> None:
    seen: list[int] = []
    before = None
    while True:
        answer, size = await sent(filled, PAGE, last=COUNT, before=before)
        assert size < LIMIT + SLACK
        found = answer["data"]["session"]["messages"]
        seen = [edge["node"]["seq"] for edge in found["edges"]] + seen
        before = found["pageInfo"]["startCursor"]
        if not found["pageInfo"]["hasPreviousPage"]:
            break
    assert seen == list(range(1, COUNT + 1))


MEMORY = 'memory(sessionId: "s") { messages(last: %d) { %s } }'
REFUSED = [
    "{ " + MEMORY % (COUNT, "content") + " }",
    "{ " + " ".join(f"a{n}: {MEMORY % (3, 'content')}" for n in range(6)) + " }",
    "{ " + MEMORY % (5, "a: content b: content") + " }",
    "{ " + MEMORY % (5, "content") + " ...F } fragment F on Query { b: " + MEMORY % (5, "other: content") + " }",
    '{ session(sessionId: "s") { memories { edges { node { messages { content } } } } } }',
    '{ session(sessionId: "s") { memory { messages(last: 20) { content session { memory { uuid } } } } } }',
    '{ user(userId: "ada") { sessions { edges { node { memory { messages { content } } } } } } }',
]


@pytest.mark.parametrize("query", REFUSED)
async def test_what_has_no_pages_is_refused(filled: Client, query: str) -> None:
    answer, size = await sent(filled, query)
    assert size < LIMIT + SLACK
    for error in answer["errors"]:
        assert error["extensions"]["code"] == "TOO_COSTLY"
        assert "bytes" in error["message"]


async def test_nodes_are_refused(filled: Client) -> None:
    found = await filled.data('{ session(sessionId: "s") { messages(first: 40) { edges { node { uuid } } } } }')
    ids = [global_id("Message", edge["node"]["uuid"]) for edge in found["session"]["messages"]["edges"]]
    assert len(ids) == COUNT
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Message { content } } }"
    answer, size = await sent(filled, query, ids=ids)
    assert size < SLACK
    assert answer["errors"][0]["extensions"]["code"] == "TOO_COSTLY"
    assert "errors" not in (await sent(filled, query, ids=ids[:5]))[0]


async def test_what_fits_is_answered(filled: Client) -> None:
    for query in ("{ " + MEMORY % (5, "content") + " }", "{ " + MEMORY % (COUNT, "uuid seq role tokenCount") + " }"):
        assert "errors" not in (await sent(filled, query))[0]


async def test_an_item_that_does_not_fit_is_refused(settings: Settings, mongodb_uri: str, database: Database) -> None:
    del database
    async with bounded(settings, mongodb_uri, max_answer_bytes=40_000) as client:
        answer, _ = await sent(client, PAGE, first=3)
        assert answer["errors"][0]["extensions"]["code"] == "TOO_COSTLY"
        assert "errors" not in (await sent(client, PAGE, first=0))[0]


async def test_the_limit_can_be_switched_off(settings: Settings, mongodb_uri: str, database: Database) -> None:
    del database
    async with bounded(settings, mongodb_uri, max_answer_bytes=0) as client:
        answer, size = await sent(client, "{ " + MEMORY % (COUNT, "content") + " }")
        assert "errors" not in answer
        assert size > COUNT * 49_000


@pytest.mark.parametrize("path", ["memory?lastn=40", "messages?limit=40", "messages"])
async def test_zep_s_answers_are_refused(filled: Client, path: str) -> None:
    response = await filled.http.get(f"/api/v1/sessions/s/{path}")
    assert response.status_code == 429
    assert b"bytes" in response.content
    assert (await filled.http.get("/api/v1/sessions/s/messages?limit=5&cursor=2")).json()["row_count"] == 5


@pytest.mark.parametrize("body", [{"text": "words"}, {"metadata": {"where": {"jsonpath": "$"}}}])
async def test_zep_s_searches_are_refused(filled: Client, body: dict[str, Any]) -> None:
    response = await filled.http.post("/api/v1/sessions/s/search?limit=40", json=body)
    assert response.status_code == 429


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_memory_of_the_process_stays_bounded(tmp_path: Path, mongodb_uri: str) -> None:
    environment = {
        "RECALLQL_MONGODB_URI": mongodb_uri,
        "RECALLQL_DATABASE": f"test_{uuid.uuid4().hex}",
        "RECALLQL_ENRICHMENT_PROCESSES": "0",
    }
    with served(tmp_path / "data", **environment) as server:
        process = psutil.Process(server.process.pid)
        text = "word " * 200_000  # whose tokens are counted ten times as fast as those of one long word
        for _ in range(28):
            sent = [{"role": "human", "content": text} for _ in range(5)]
            server.graphql(ADD, input={"sessionId": "s", "messages": sent})
        before = process.memory_info().rss
        peak = before
        for query in ("{ " + MEMORY % (140, "content") + " }", "{ " + MEMORY % (140, "content seq") + " }"):
            answer = httpx.post(f"{server.url}/graphql", json={"query": query}, timeout=60)
            assert len(answer.content) < 17_000_000
            assert answer.json()["errors"][0]["extensions"]["code"] == "TOO_COSTLY"
            peak = max(peak, process.memory_info().rss)
        page = httpx.post(f"{server.url}/graphql", json={"query": PAGE, "variables": {"first": 140}}, timeout=60)
        found = page.json()["data"]["session"]["messages"]
        assert len(found["edges"]) == 16
        assert found["pageInfo"]["hasNextPage"]
        peak = max(peak, process.memory_info().rss)
        assert peak - before < 140_000_000  # the answer alone would be that, and be held several times
