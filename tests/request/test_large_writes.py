"""Writes whose answers are too large: refused before anything is stored where that is known, and stored otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import served_with
from tests.support.graphql_client import Client

LIMIT = 300_000
TEXT = "words " * 8_333
COUNT = '{ session(sessionId: "s") { messageCount } }'


def add(selected: str) -> str:
    return f"mutation ($input: AddMemoryInput!) {{ addMemory(input: $input) {{ {selected} }} }}"


def sent(*uuids: str | None, **more: Any) -> dict[str, Any]:
    messages = [{"role": "human", "content": TEXT, **({"uuid": uuid} if uuid else {})} for uuid in uuids]
    return {"sessionId": "s", "messages": messages, **more}


@pytest.fixture
async def bounded(settings: Settings, mongodb_uri: str, database: Database) -> AsyncIterator[Client]:
    """A client whose answers may have 300,000 bytes."""
    del database
    async with served_with(settings, mongodb_uri, max_answer_bytes=LIMIT) as client:
        yield client


@pytest.mark.parametrize(
    "selected",
    [
        "memory { messages { content } }",
        "memory { messages { a: content b: content } }",
        "m: memory { messages(last: 1000) { uuid content } }",
    ],
)
async def test_an_answer_that_will_be_too_large_is_refused_before_the_write(bounded: Client, selected: str) -> None:
    error = await bounded.error(add(selected), input=sent(*[None] * 10))
    assert (error["code"], "outcome" in error["extensions"]) == ("TOO_COSTLY", False)
    assert await bounded.data(COUNT) == {"session": None}


@pytest.mark.parametrize(
    "selected",
    ["replayed", "memory { messages { uuid role } }", "memory { messages(last: 2) { content } }"],
)
async def test_an_answer_that_leaves_the_large_parts_out_comes_back(bounded: Client, selected: str) -> None:
    await bounded.data(add(selected), input=sent(*[None] * 10))
    assert (await bounded.data(COUNT))["session"]["messageCount"] == 10


@pytest.mark.parametrize("selected", ["content", "uuid metadata"])
async def test_new_messages_with_chosen_uuids_are_refused_before_the_write(bounded: Client, selected: str) -> None:
    uuids = [str(uuid4()) for _ in range(10)]
    new = sent(*uuids)
    if selected != "content":
        new["messages"] = [{**message, "content": "x", "metadata": {"text": TEXT}} for message in new["messages"]]
    error = await bounded.error(add(f"memory {{ messages {{ {selected} }} }}"), input=new)
    assert (error["code"], "outcome" in error["extensions"]) == ("TOO_COSTLY", False)
    assert await bounded.data(COUNT) == {"session": None}
    await bounded.data(add(f"memory {{ messages(last: 2) {{ {selected} }} }}"), input=new)
    assert (await bounded.data(COUNT))["session"]["messageCount"] == 10


async def test_known_messages_are_no_part_of_the_answer(bounded: Client) -> None:
    uuids = [str(uuid4()) for _ in range(11)]
    await bounded.data(add("replayed"), input=sent(*uuids[:10]))
    added = await bounded.data(add("memory { messages { uuid content } }"), input=sent(*uuids))
    assert [message["uuid"] for message in added["addMemory"]["memory"]["messages"]] == uuids[10:]


@pytest.mark.parametrize(
    "selected",
    [
        "memory { messages { content } }",
        "memory { messages(last: 9) { content } a: messages(last: 1) { b: content } }",
        "a: memory { messages(last: 4) { content } } b: memory { messages(last: 4) { content } }",
    ],
)
@pytest.mark.parametrize("change", ["content", "metadata", "session"])
async def test_a_change_of_known_messages_whose_answer_is_too_large_is_refused_before_the_write(
    bounded: Client, selected: str, change: str
) -> None:
    uuids = [str(uuid4()) for _ in range(10)]
    await bounded.data(add("replayed"), input=sent(*uuids))
    known = sent(uuids[3], **({"metadata": {"a": 1}} if change == "session" else {}))
    if change == "content":
        known["messages"][0]["content"] = "short"
    elif change == "metadata":
        known["messages"][0]["metadata"] = {"a": 1}
    error = await bounded.error(add(selected), input=known)
    assert (error["code"], "outcome" in error["extensions"]) == ("TOO_COSTLY", False)
    stored = await bounded.data('{ session(sessionId: "s") { revision metadata messageCount } }')
    assert stored["session"] == {"revision": 1, "metadata": {}, "messageCount": 10}
    changed = await bounded.data(add("replayed memory { messages(last: 2) { content } }"), input=known)
    assert not changed["addMemory"]["replayed"]
    assert (await bounded.data(add("replayed"), input=known))["addMemory"]["replayed"]


async def test_a_change_counts_the_new_contents_and_not_the_old_ones(bounded: Client) -> None:
    uuids = [str(uuid4()) for _ in range(10)]
    await bounded.data(add("replayed"), input=sent(*uuids))
    shorter = sent(*uuids)
    shorter["messages"] = [{**message, "content": "short"} for message in shorter["messages"]]
    again = await bounded.data(add("memory { messages { content } }"), input=shorter)
    assert [message["content"] for message in again["addMemory"]["memory"]["messages"]] == ["short"] * 10
    error = await bounded.error(add("memory { messages { content } }"), input=sent(*uuids))
    assert (error["code"], "outcome" in error["extensions"]) == ("TOO_COSTLY", False)


async def test_a_replay_whose_answer_is_too_large_says_that_it_is_stored(bounded: Client) -> None:
    uuids = [str(uuid4()) for _ in range(10)]
    await bounded.data(add("replayed"), input=sent(*uuids))
    error = await bounded.error(add("memory { messages { content } }"), input=sent(*uuids))
    assert (error["code"], error["extensions"]["outcome"]) == ("TOO_COSTLY", "STORED")
    again = await bounded.data(add("replayed memory { uuid messages { uuid } }"), input=sent(*uuids))
    assert again["addMemory"]["replayed"]
    assert [message["uuid"] for message in again["addMemory"]["memory"]["messages"]] == uuids
    assert (await bounded.data(COUNT))["session"]["messageCount"] == 10


async def test_several_lists_of_new_messages_are_counted_together(bounded: Client) -> None:
    twice = "memory { messages { content } b: messages { content } }"
    error = await bounded.error(add(twice), input=sent(*[None] * 5))
    assert (error["code"], "outcome" in error["extensions"]) == ("TOO_COSTLY", False)
    assert await bounded.data(COUNT) == {"session": None}
