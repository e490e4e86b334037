"""Searches read the arguments and results of tools where they are set to, and otherwise not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from graph.app import create_app
from graph.enrichment.entities import Extractor
from graph.enrichment.parts import searched_text
from graph.enrichment.worker import Worker
from graph.recall.embedding import embedder_of
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import changed
from tests.support.graphql_client import Client, serving
from tests.support.memory import add

SEARCH = """query($words: String!, $mode: SearchMode!) {
  search(query: $words, sessionId: "s", mode: $mode) { edges { node { uuid } matches { start end } } } }"""
EDIT = "mutation($i: UpdateMessageInput!) { updateMessage(input: $i) { message { uuid } } }"
CALL = {"type": "tool-call", "toolCallId": "c", "toolName": "lookup", "input": {"harbour": "Peniche", "depth": 7}}
RESULT = {"type": "tool-result", "toolCallId": "c", "output": {"type": "json", "value": {"tide": "ebbing"}}}
SAID: list[dict[str, Any]] = [
    {"role": "user", "content": "How deep is it there?"},
    {"role": "assistant", "content": "I look it up.", "parts": [{"type": "text", "text": "I look it up."}, CALL]},
    {"role": "tool", "content": "", "parts": [RESULT]},
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return changed(settings, search_tools=True)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor()


async def drain(database: Database, extractor: Extractor, settings: Settings) -> int:
    embedder = embedder_of(settings)
    assert embedder is not None
    async with aclosing(embedder):
        worker = Worker(database, extractor, settings, embedder=embedder)
        await worker.run(asyncio.Event(), drain=True)
    return worker.done.embedded


async def found(client: Client, words: str, mode: str = "LEXICAL") -> list[dict[str, Any]]:
    """The results, best first; the words of a session find its other messages, too."""
    answer = await client.data(SEARCH, words=words, mode=mode)
    return [{"uuid": edge["node"]["uuid"], "matches": edge["matches"]} for edge in answer["search"]["edges"]]


@pytest.fixture
async def without(mongodb_uri: str, settings: Settings, database: Database) -> AsyncIterator[Client]:
    """A client of a process that is not set to read tools, on the same database."""
    del database
    async with serving(create_app(changed(settings, search_tools=False), mongodb_uri)) as opened:
        yield opened


@pytest.fixture(params=["stored", "read"])
async def added(
    request: pytest.FixtureRequest, client: Client, database: Database, settings: Settings, extractor: Extractor
) -> list[dict[str, Any]]:
    """The messages, before or after a worker has read them."""
    messages: list[dict[str, Any]] = (await add(client, "s", SAID))["memory"]["messages"]
    if request.param == "read":
        assert await drain(database, extractor, settings) == 3
    return messages


async def test_arguments_and_results_are_found(client: Client, without: Client, added: list[dict[str, Any]]) -> None:
    _, call, result = added
    for words, message in (("Peniche", call), ("depth", call), ('"harbour: Peniche"', call), ("ebbing tide", result)):
        assert (await found(client, words))[0] == {"uuid": message["uuid"], "matches": []}, words
        assert await found(without, words) == [], words
    assert len(await found(client, '"harbour: Peniche"')) == 1
    assert (await found(client, "look"))[0] == {"uuid": call["uuid"], "matches": [{"start": 2, "end": 6}]}
    assert await found(client, "lookup") == []  # the name of a tool is neither an argument nor a result
    assert await found(client, "json") == []


async def test_other_parts_of_a_message_are_searched_at_once(
    client: Client, database: Database, settings: Settings, extractor: Extractor
) -> None:
    _, call, _ = (await add(client, "s", SAID))["memory"]["messages"]
    await drain(database, extractor, settings)
    assert await found(client, "Peniche")
    text = {"type": "text", "text": "I look it up."}
    await client.data(EDIT, i={"uuid": call["uuid"], "parts": [text, {**CALL, "input": {"harbour": "Sagres"}}]})
    assert await found(client, "Peniche") == []
    assert (await found(client, "Sagres"))[0]["uuid"] == call["uuid"]
    assert await drain(database, extractor, settings) == 1
    assert (await found(client, "Sagres"))[0]["uuid"] == call["uuid"]
    (nearest, *_) = await found(client, "a harbour called Sagres", "VECTOR")
    assert nearest["uuid"] == call["uuid"]


async def test_after_a_change_of_the_setting_all_messages_are_read_again(
    client: Client, without: Client, database: Database, settings: Settings, extractor: Extractor
) -> None:
    _, call, _ = (await add(client, "s", SAID))["memory"]["messages"]
    off = changed(settings, search_tools=False)
    assert await drain(database, extractor, off) == 3
    for _ in range(2):
        assert await found(without, "Peniche") == []
        assert (await found(client, "Peniche"))[0]["uuid"] == call["uuid"]
        assert await drain(database, extractor, settings) in (3, 0)
    assert await drain(database, extractor, off) == 3


OPENAI = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"city": "Faro", "list": [1, true]}'}
IMAGE = {"type": "image", "source": {"data": "A" * 5_000}}
DEEP = "[" * 900 + '"x"' + "]" * 900


@pytest.mark.parametrize(
    ("part", "lines"),
    [
        (OPENAI, ["city: Faro", "list: 1", "list: True"]),
        ({"type": "function_call_output", "call_id": "c", "output": "sunny {"}, ["sunny {"]),
        ({"type": "tool_use", "id": "c", "name": "f", "input": {"at": {"type": "t", "value": "N"}}}, ["at: N"]),
        ({"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "dry"}, IMAGE]}, ["dry"]),
        ({"type": "tool-weather", "state": "done", "input": {"a": None}, "output": {"b": 1.5}}, ["b: 1.5"]),
        ({"type": "dynamic-tool", "toolName": "f", "input": {}, "output": "wet"}, ["wet"]),
        ({"type": "function_call", "call_id": "c", "name": "f", "arguments": DEEP}, []),
        ({"type": "tool-call", "toolCallId": "c", "args": "{not JSON"}, ["{not JSON"]),
        ({"type": "reasoning", "text": "why", "input": "x"}, []),
        ({"type": "text", "text": "said", "content": "x"}, []),
    ],
)
def test_the_values_of_each_form_are_read_with_their_names(part: dict[str, Any], lines: list[str]) -> None:
    assert searched_text("content", [part]) == "\n".join(["content", *lines])


def test_the_values_of_tools_have_a_bound_whatever_their_names_are() -> None:
    part: dict[str, Any] = {
        "type": "tool-call",
        "toolCallId": "c",
        "toolName": "f",
        "input": {"K" * 100_000: list(range(100_000))},
    }
    text = searched_text("content", [part])
    assert text.startswith("content\n" + "K" * 100 + ": 0\n")
    assert 49_000 < len(text) < 51_000
