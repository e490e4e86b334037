"""With `RECALLQL_TOOL_PAIRS`, no result of a tool is without its call, and no call loses its result."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import served_with
from tests.support.graphql_client import ADD, Client

POP = 'mutation { popMessage(input: { sessionId: "s" }) { poppedMessage { seq } } }'
REPLACE = "mutation($i: ReplaceFromInput!) { replaceFrom(input: $i) { session { messageCount } } }"
UPDATE = "mutation($i: UpdateMessageInput!) { updateMessage(input: $i) { message { parts } } }"
COUNT = '{ session(sessionId: "s") { messageCount lastMessage { seq } } }'

CALLS: list[dict[str, Any]] = [
    {"type": "tool-call", "toolCallId": "c1", "toolName": "weather", "args": {"city": "Oslo"}},
    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}},
    {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
]
RESULTS: list[dict[str, Any]] = [
    {"type": "tool-result", "toolCallId": "c1", "result": 4},
    {"type": "tool_result", "tool_use_id": "c1", "content": "4"},
    {"type": "function_call_output", "call_id": "c1", "output": "4"},
]
KINDS = pytest.mark.parametrize(("call", "result"), [*zip(CALLS, RESULTS, strict=True)])


def message(role: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": role, "content": "x", **({"parts": list(parts)} if parts else {}), **more}


def said(*messages: dict[str, Any], session_id: str = "s", **more: Any) -> dict[str, Any]:
    return {"sessionId": session_id, "messages": list(messages), **more}


@pytest.fixture
async def strict(settings: Settings, mongodb_uri: str, database: Database) -> AsyncIterator[Client]:
    """A client of a server with the setting."""
    del database
    async with served_with(settings, mongodb_uri, tool_pairs=True) as client:
        yield client


async def refused(client: Client, query: str, message_: str, **variables: Any) -> None:
    before = await client.data(COUNT)
    error = await client.error(query, **variables)
    assert (error["code"], error["message"]) == ("CONFLICT", message_)
    assert await client.data(COUNT) == before


NO_CALL = "the session has no tool call 'c1': add the call before its result"
ALONE = "tool call 'c1' would stay without its result: replace the messages from the call on"


@KINDS
async def test_a_result_needs_its_call(strict: Client, call: dict[str, Any], result: dict[str, Any]) -> None:
    await refused(strict, ADD, NO_CALL, input=said(message("tool", result)))
    await refused(strict, ADD, NO_CALL, input=said(message("tool", toolCallId="c1")))
    await refused(strict, ADD, NO_CALL, input=said(message("tool", result), message("assistant", call)))
    await strict.data(ADD, input=said(message("assistant", call), session_id="other"))
    await refused(strict, ADD, NO_CALL, input=said(message("tool", result)))
    await strict.data(ADD, input=said(message("assistant", call)))
    await strict.data(ADD, input=said(message("tool", result)))
    await strict.data(ADD, input=said(message("tool", toolCallId="c1")))
    await strict.data('mutation { deleteMemory(input: { sessionId: "s" }) { deletedId } }')
    await refused(strict, ADD, NO_CALL, input=said(message("tool", result)))
    await strict.data(ADD, input=said(message("assistant", call), message("tool", result)))
    await strict.data(ADD, input=said(message("assistant", call, result)))


@KINDS
async def test_a_pair_goes_as_a_whole(strict: Client, call: dict[str, Any], result: dict[str, Any]) -> None:
    pair = [message("assistant", call), message("tool", result)]
    await strict.data(ADD, input=said(message("user"), *pair))
    await refused(strict, POP, ALONE)
    await refused(strict, REPLACE, ALONE, i={**said(message("user")), "seq": 3})
    await strict.data(REPLACE, i={**said(message("tool", result)), "seq": 3})  # another result of the same call
    await refused(strict, REPLACE, NO_CALL, i={**said(message("tool", result)), "seq": 2})
    await strict.data(REPLACE, i={**said(*pair), "seq": 2})
    await strict.data(REPLACE, i={**said(message("assistant", call)), "seq": 2})
    assert (await strict.data(POP))["popMessage"]["poppedMessage"]["seq"] == 7
    assert (await strict.data(POP))["popMessage"]["poppedMessage"]["seq"] == 1


async def test_pairs_are_on_one_path(strict: Client) -> None:
    call, result = CALLS[0], RESULTS[0]
    asked, called, again = (str(uuid4()) for _ in range(3))
    await strict.data(ADD, input=said(message("user", uuid=asked), message("assistant", call, uuid=called)))
    no_call = "the path to the message has no tool call 'c1': add the call before its result"
    await refused(strict, ADD, no_call, input=said(message("tool", result, parentUuid=asked)))
    other = [message("assistant", parentUuid=asked, uuid=again), message("tool", result)]
    await refused(strict, ADD, no_call, input=said(*other))
    apart = [message("assistant", call, parentUuid=asked), message("tool", result, parentUuid=asked)]
    await refused(strict, ADD, no_call, input=said(*apart))
    await strict.data(ADD, input=said(message("tool", result, parentUuid=called)))
    await refused(strict, POP, ALONE)
    # Another try with the same id of its call; the first one keeps its result.
    await strict.data(
        ADD, input=said(message("assistant", call, parentUuid=asked, uuid=again), message("tool", result))
    )
    await refused(strict, REPLACE, ALONE, i={"sessionId": "s", "seq": 5, "messages": [message("user")]})
    await strict.data(REPLACE, i={"sessionId": "s", "seq": 4, "messages": [message("assistant")]})
    assert (await strict.data(COUNT))["session"] == {"messageCount": 4, "lastMessage": {"seq": 6}}


async def test_an_edit_changes_the_calls_and_results_of_a_message(strict: Client) -> None:
    uuids = [str(uuid4()) for _ in range(2)]
    await strict.data(ADD, input=said(message("assistant", uuid=uuids[0]), message("user", uuid=uuids[1])))
    await strict.data(UPDATE, i={"uuid": uuids[0], "content": "x", "parts": [CALLS[0]]})
    await strict.data(ADD, input=said(message("tool", RESULTS[0])))
    await refused(strict, POP, ALONE)
    await strict.data(UPDATE, i={"uuid": uuids[0], "content": "x", "parts": []})
    await refused(strict, ADD, NO_CALL, input=said(message("tool", RESULTS[0])))
    await strict.data(POP)
    await strict.data(ADD, input=said(message("assistant", CALLS[0], uuid=uuids[0])))
    await strict.data(UPDATE, i={"uuid": uuids[1], "toolCallId": "c1"})
    await refused(strict, POP, ALONE)


async def test_without_the_setting_pairs_are_the_callers_concern(client: Client) -> None:
    await client.data(ADD, input=said(message("tool", RESULTS[0]), message("tool", toolCallId="c9")))
    await client.data(ADD, input=said(message("assistant", CALLS[0]), message("tool", RESULTS[0])))
    for _ in range(4):
        await client.data(POP)
    assert (await client.data(COUNT))["session"]["messageCount"] == 0


async def test_malformed_parts_are_no_calls(strict: Client) -> None:
    parts: list[dict[str, Any]] = [
        {"type": "tool-result"},
        {"type": "tool-result", "toolCallId": 7},
        {"type": "tool_use", "id": {"a": 1}},
    ]
    await strict.data(ADD, input=said(message("tool", *parts)))
    await strict.data(POP)


async def test_a_fork_keeps_the_pairs(strict: Client) -> None:
    await strict.data(ADD, input=said(message("assistant", CALLS[1]), message("tool", RESULTS[1])))
    fork = 'mutation { forkSession(input: { sessionId: "s", throughSeq: 2, newSessionId: "t" }) { replayed } }'
    await strict.data(fork)
    error = await strict.error(POP.replace('"s"', '"t"'))
    assert error["message"] == ALONE
    await strict.data(ADD, input=said(message("tool", RESULTS[1]), session_id="t"))
