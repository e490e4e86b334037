"""Messages in parts, as model APIs have them."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import uuid4

import pytest

from graph.enrichment.parts import TOKENS_OF_BINARY
from graph.enrichment.tokens import count_message_tokens, count_tokens
from graph.store.database import Database
from tests.support.commands import Commands
from tests.support.graphql_client import Client

ADD = """mutation($input: AddMemoryInput!) { addMemory(input: $input) { replayed memory { tokenCount
  messages { uuid content parts tokenCount } } } }"""
UPDATE = """mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message {
  content parts tokenCount session { tokenCount } } } }"""
READ = '{ session(sessionId: "s") { tokenCount messages { edges { node { content parts tokenCount } } } } }'
CALL = {"type": "tool-call", "toolCallId": "c1", "toolName": "search", "args": {"q": "tea " * 300}}
PARTS: list[dict[str, Any]] = [
    {"type": "text", "text": "Look:", "$ref": {"b": 1, "a": [1, 1.0, True, None, "ü🎉"]}},
    CALL,
    {"type": "reasoning", "text": "why", "signature": "s"},
    {"type": "data-weather", "data": {"sun": True}},
    {"type": "output_text", "text": "Done."},
]


def sent(**message: Any) -> dict[str, Any]:
    return {"sessionId": "s", "messages": [{"role": "assistant", **message}]}


async def add(client: Client, **message: Any) -> dict[str, Any]:
    payload = (await client.data(ADD, input=sent(**message)))["addMemory"]
    (added,) = payload["memory"]["messages"]
    assert payload["memory"]["tokenCount"] == added["tokenCount"]
    return {**added, "replayed": payload["replayed"]}


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def test_parts_are_kept_as_they_are_sent_and_their_text_is_the_content(client: Client) -> None:
    added = await add(client, parts=PARTS)
    assert as_json(added["parts"]) == as_json(PARTS)  # the order of keys, and 1, 1.0 and true, included
    assert added["content"] == "Look:\nDone."
    assert added["tokenCount"] == count_message_tokens("assistant", "Look:\nDone.") + sum(
        count_tokens(as_json(part)) for part in (CALL, PARTS[2])
    )
    session = (await client.data(READ))["session"]
    assert as_json(session["messages"]["edges"][0]["node"]["parts"]) == as_json(PARTS)
    assert session["tokenCount"] == added["tokenCount"] > 300


async def test_both_may_be_sent_and_either_is_enough(client: Client) -> None:
    both = await add(client, content="As the page shows it", parts=PARTS[:1])
    assert (both["content"], both["parts"]) == ("As the page shows it", PARTS[:1])
    assert (await add(client, content="x"))["parts"] == []
    assert (await add(client, parts=[CALL]))["content"] == ""
    empty: list[dict[str, Any]] = [{}, {"parts": []}, {"content": None, "parts": None}]
    for nothing in empty:
        error = await client.error(ADD, input=sent(**nothing))
        assert error["message"] == "messages[0] has neither content nor parts: send one of them, or both"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "source": {"type": "base64", "data": base64.b64encode(b"pixel" * 40_000).decode()}},
        {"type": "file", "url": "data:application/pdf;base64," + "QUJD" * 20},
    ],
)
async def test_an_inline_binary_counts_a_constant(client: Client, part: dict[str, Any]) -> None:
    added = await add(client, parts=[part])
    assert added["parts"] == [part]
    assert TOKENS_OF_BINARY < added["tokenCount"] < TOKENS_OF_BINARY + 40


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (["text"], 'messages[0].parts[0] must be a JSON object with a type, such as {"type": "text"}'),
        ([{"type": "text"}, {"text": "x"}], "messages[0].parts[1] must be a JSON object with a type"),
        ([{"type": 1}], "messages[0].parts[0] must be a JSON object with a type"),
        ([{"type": ""}], "messages[0].parts[0].type must not be empty"),
        (
            [{"type": "t", "text": "x" * 1_048_576}],
            "messages[0].parts has 1,048,6",
        ),
        ([{"type": "t"}] * 1_001, "input.messages[0].parts has 1,001 items, and at most 1,000 are"),
        ([{"type": "t", "n": 2**63}], "messages[0].parts has the whole number"),
    ],
)
async def test_wrong_parts_are_refused(client: Client, parts: list[Any], reason: str) -> None:
    error = await client.error(ADD, input=sent(parts=parts))
    assert (error["code"], error["message"][: len(reason)]) == ("BAD_USER_INPUT", reason)
    assert (await client.data(READ))["session"] is None


async def test_parts_of_the_greatest_size_are_kept(client: Client) -> None:
    parts = [{"type": "text", "text": "ü" * 524_000}]
    assert (await add(client, parts=parts))["parts"] == parts


async def test_parts_change_together_with_the_text_that_they_hold(client: Client, database: Database) -> None:
    uuid = str(uuid4())
    first = await add(client, uuid=uuid, parts=[PARTS[0], CALL])
    assert (await add(client, uuid=uuid, parts=[PARTS[0], CALL]))["replayed"]
    for change in ({"content": "Hi"}, {"role": "tool"}):
        error = await client.error(UPDATE, input={"uuid": uuid, **change})
        assert (error["code"], "has parts, which hold its text" in error["message"]) == ("BAD_USER_INPUT", True)
    again = [{"type": "text", "text": "Look:"}, {**CALL, "args": {"q": 1}}]
    changed = (await client.data(UPDATE, input={"uuid": uuid, "parts": again}))["updateMessage"]["message"]
    assert (changed["content"], changed["parts"]) == ("Look:", again)
    assert changed["tokenCount"] == changed["session"]["tokenCount"] < first["tokenCount"]
    true = [{"type": "text", "text": "Look:"}, {**CALL, "args": {"q": True}}]
    assert not (await add(client, uuid=uuid, parts=true))["replayed"]
    changed = (await client.data(UPDATE, input={"uuid": uuid, "parts": []}))["updateMessage"]["message"]
    assert (changed["content"], changed["parts"]) == ("Look:", [])
    assert changed["tokenCount"] == count_message_tokens("assistant", "Look:")
    changed = (await client.data(UPDATE, input={"uuid": uuid, "content": "Hi"}))["updateMessage"]["message"]
    assert changed["content"] == "Hi"


async def test_parts_that_are_not_selected_are_not_read(client: Client, commands: Commands) -> None:
    await add(client, parts=PARTS)
    with commands.recorded() as recorded:
        await client.data('{ memory(sessionId: "s") { messages { seq content tokenCount } } }')
    read = [repr(command) for name, command in recorded if name in {"find", "aggregate"}]
    assert any("content" in command for command in read)
    assert not any("parts" in command for command in read)
