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


async def test_a_stored_change_whose_answer_is_too_large_says_so_and_is_read_again_by_its_uuids(
    bounded: Client,
) -> None:
    uuids = [str(uuid4()) for _ in range(10)]
    await bounded.data(add("replayed"), input=sent(*uuids))
    changed = sent(*uuids)
    changed["messages"][0]["content"] = "short"
    error = await bounded.error(add("memory { messages { content } }"), input=changed)
    assert (error["code"], error["extensions"]["outcome"]) == ("TOO_COSTLY", "STORED")
    again = await bounded.data(add("replayed memory { uuid messages { uuid } }"), input=changed)
    assert again["addMemory"]["replayed"]
    assert [message["uuid"] for message in again["addMemory"]["memory"]["messages"]] == uuids
    assert (await bounded.data(COUNT))["session"]["messageCount"] == 10
