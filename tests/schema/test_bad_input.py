"""What is refused: a clear error with its code, and nothing stored."""

from __future__ import annotations

from typing import Any

import pytest

from graph.store.database import Database
from tests.support.graphql_client import ADD, Client

HI = [{"role": "human", "content": "hi"}]


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "empty session id": ({"sessionId": "", "messages": HI}, "sessionId must not be empty"),
    "long session id": ({"sessionId": "é" * 257, "messages": HI}, "sessionId has 514 bytes, and at most 512"),
    "NUL in session id": ({"sessionId": "a\0b", "messages": HI}, "sessionId must not contain the NUL"),
    "surrogate in session id": ({"sessionId": "\ud800", "messages": HI}, "lone surrogate (U+D800)"),
    "no messages": ({"sessionId": "s", "messages": []}, "at least one message"),
    "too many messages": ({"sessionId": "s", "messages": HI * 1001}, "1,001 items, and at most 1,000"),
    "empty role": (
        {"sessionId": "s", "messages": [{"role": "", "content": "x"}]},
        "messages[0].role must not be empty",
    ),
    "long content": (
        {"sessionId": "s", "messages": [*HI, {"role": "ai", "content": "x" * 1_048_577}]},
        "messages[1].content has 1,048,577 bytes, and at most 1,048,576",
    ),
    "surrogate in content": (
        {"sessionId": "s", "messages": [{"role": "ai", "content": "a\udfff"}]},
        "messages[0].content has a lone surrogate (U+DFFF) at character 1",
    ),
    "malformed uuid": ({"sessionId": "s", "messages": [{**HI[0], "uuid": "nope"}]}, "messages[0].uuid: UUID must be"),
    "uuid twice": (
        {"sessionId": "s", "messages": [{**HI[0], "uuid": "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa"}] * 2},
        "messages[1].uuid is sent twice",
    ),
    "metadata is a list": (
        {"sessionId": "s", "messages": HI, "metadata": []},
        "metadata must be a JSON object, not a list",
    ),
    "metadata is a text": (
        {"sessionId": "s", "messages": [{**HI[0], "metadata": "x"}]},
        "messages[0].metadata must be a JSON object, not a string",
    ),
    "deep metadata": ({"sessionId": "s", "messages": HI, "metadata": nested(33)}, "deeper than 32 levels"),
    "large metadata": ({"sessionId": "s", "messages": HI, "metadata": {"a": "x" * 262_144}}, "at most 262,144"),
    "NUL in a key": ({"sessionId": "s", "messages": HI, "metadata": {"a": {"b\0": 1}}}, "NUL"),
    "surrogate in a key": ({"sessionId": "s", "messages": HI, "metadata": {"\ud800": 1}}, "lone surrogate"),
    "surrogate in a value": ({"sessionId": "s", "messages": HI, "metadata": {"a": ["\ud800"]}}, "lone surrogate"),
    "large number": ({"sessionId": "s", "messages": HI, "metadata": {"a": 2**63}}, "whole number 9223372036854775808"),
    "empty user id": ({"sessionId": "s", "messages": HI, "userId": ""}, "userId must not be empty"),
    "empty idempotency key": ({"sessionId": "s", "messages": HI, "idempotencyKey": ""}, "idempotencyKey must not be"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_bad_input_is_refused_and_stores_nothing(client: Client, database: Database, case: str) -> None:
    sent, reason = REFUSED[case]
    error = await client.error(ADD, input=sent)
    assert error["code"] == "BAD_USER_INPUT"
    assert reason in error["message"]
    for collection in (database.sessions, database.messages, database.memories, database.users):
        assert await collection.count_documents({}) == 0


async def test_an_unknown_field_is_refused(client: Client) -> None:
    error = await client.error(ADD, input={"sessionId": "s", "messages": HI, "sesionId": "typo"})
    assert error["code"] == "BAD_USER_INPUT"
    assert "sesionId" in error["message"]
    assert (await client.error('{ memory(sessionId: "s") { nope } }'))["code"] == "BAD_USER_INPUT"


async def test_the_limits_themselves_are_accepted(client: Client) -> None:
    sent = {
        "sessionId": "é" * 256,
        "messages": [{"role": "human", "content": "x" * 1_048_576}, {"role": "ai", "content": ""}],
        "metadata": {"deep": nested(31), "dotted.key": 1, "": 2, "small": -(2**63), "a": "nul \0 in a value"},
    }
    added = (await client.data(ADD, input=sent))["addMemory"]
    assert added["session"]["metadata"] == sent["metadata"]
    assert [message["content"] for message in added["memory"]["messages"]] == ["x" * 1_048_576, ""]


TEXTS = {
    "emoji": "👩‍👩‍👧‍👦 met Octavia Butler 🎉 in Paris",
    "right to left": "אוקטביה באטלר כתבה ספרים. Octavia Butler",
    "combining marks": "Cafe\u0301 with Octavia Butler, e\u0301 and \u00e9 stay apart",
    "control characters": "a\0b\r\n\t\x1b[0m\u2028\ufeff",
    "a million characters": "Octavia Butler wrote. " * 45_454,
}


@pytest.mark.parametrize("name", TEXTS)
async def test_text_comes_back_byte_for_byte(client: Client, name: str) -> None:
    text = TEXTS[name]
    await client.data(ADD, input={"sessionId": name, "messages": [{"role": "human", "content": text}]})
    data = await client.data("query($s: ID!) { memory(sessionId: $s) { messages { content } } }", s=name)
    assert data["memory"]["messages"][0]["content"].encode() == text.encode()
