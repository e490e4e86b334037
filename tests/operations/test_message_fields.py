"""What a message says beside its role and content: who speaks, which call it answers, and when it was said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support.graphql_client import Client

ADD = """mutation($input: AddMemoryInput!) { addMemory(input: $input) { replayed memory {
  messages { uuid seq name toolCallId createdAt } } } }"""
UPDATE = """mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message {
  name toolCallId content tokenCount enrichment { state } } } }"""
READ = '{ session(sessionId: "s") { messages { edges { node { seq name toolCallId createdAt updatedAt content } } } } }'


def sent(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"sessionId": "s", "messages": [{"role": "tool", "content": "x", **message} for message in messages], **more}


async def stored(client: Client) -> list[dict[str, Any]]:
    return [edge["node"] for edge in (await client.data(READ))["session"]["messages"]["edges"]]


async def test_the_speaker_and_the_call_are_kept_and_changed(client: Client) -> None:
    uuid = str(uuid4())
    given = {"uuid": uuid, "name": "Zoë 🎉", "toolCallId": "call_1"}
    added = (await client.data(ADD, input=sent(given, {})))["addMemory"]["memory"]["messages"]
    assert [(message["name"], message["toolCallId"]) for message in added] == [("Zoë 🎉", "call_1"), (None, None)]
    assert (await client.data(ADD, input=sent(given)))["addMemory"]["replayed"]
    assert (await client.data(ADD, input=sent({"uuid": uuid})))["addMemory"]["replayed"]  # absent: unchanged
    assert not (await client.data(ADD, input=sent({**given, "name": "Zoe"})))["addMemory"]["replayed"]
    changed = await client.data(UPDATE, input={"uuid": uuid, "toolCallId": "call_2"})
    message = changed["updateMessage"]["message"]
    assert (message["name"], message["toolCallId"], message["content"]) == ("Zoe", "call_2", "x")
    assert [(found["name"], found["toolCallId"]) for found in await stored(client)] == [
        ("Zoe", "call_2"),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"name": ""}, "messages[0].name must not be empty"),
        ({"name": "n" * 257}, "messages[0].name has 257 bytes, and at most 256 are accepted"),
        ({"toolCallId": "t" * 513}, "messages[0].toolCallId has 513 bytes, and at most 512 are accepted"),
        (
            {"createdAt": "2999-01-01T00:00:00Z"},
            "messages[0].createdAt is 2999-01-01T00:00:00+00:00, which is still to",
        ),
    ],
)
async def test_a_wrong_field_is_refused_and_nothing_is_stored(
    client: Client, given: dict[str, Any], reason: str
) -> None:
    error = await client.error(ADD, input=sent(given, {}))
    assert (error["code"], error["message"][: len(reason)]) == ("BAD_USER_INPUT", reason)
    assert (await client.data('{ session(sessionId: "s") { uuid } }'))["session"] is None


async def test_messages_stand_in_the_order_of_their_arrival_whatever_their_times_are(client: Client) -> None:
    times = ["2020-05-01T10:00:00.123987+02:00", "2019-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]
    before = datetime.now(UTC)
    added = await client.data(ADD, input=sent(*({"createdAt": time} for time in times), {}))
    assert [message["seq"] for message in added["addMemory"]["memory"]["messages"]] == [1, 2, 3, 4]
    found = await stored(client)
    kept = ["2020-05-01T08:00:00.123Z", "2019-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"]
    assert [message["createdAt"] for message in found][:3] == kept
    assert all(datetime.fromisoformat(message["updatedAt"]) >= before - timedelta(seconds=1) for message in found)
    assert datetime.fromisoformat(found[3]["createdAt"]) >= before - timedelta(seconds=1)


async def test_what_a_clock_that_is_ahead_takes_for_now_is_now(client: Client) -> None:
    ahead = (datetime.now(UTC) + timedelta(seconds=40)).isoformat()
    (message,) = (await client.data(ADD, input=sent({"createdAt": ahead})))["addMemory"]["memory"]["messages"]
    assert datetime.fromisoformat(message["createdAt"]) <= datetime.now(UTC)


async def test_a_message_that_is_known_keeps_its_time(client: Client) -> None:
    given = {"uuid": str(uuid4()), "createdAt": "2020-05-01T10:00:00Z"}
    await client.data(ADD, input=sent(given))
    await client.data(ADD, input=sent({**given, "createdAt": "2021-05-01T10:00:00Z", "content": "y"}))
    (message,) = await stored(client)
    assert (message["createdAt"], message["content"]) == ("2020-05-01T10:00:00.000Z", "y")


async def test_another_speaker_is_another_payload(client: Client) -> None:
    await client.data(ADD, input=sent({"name": "Ada"}, idempotencyKey="k"))
    assert (await client.data(ADD, input=sent({"name": "Ada"}, idempotencyKey="k")))["addMemory"]["replayed"]
    for other in ({"name": "Bob"}, {}, {"toolCallId": "Ada"}, {"name": "Ada", "createdAt": "2020-01-01T00:00:00Z"}):
        assert (await client.error(ADD, input=sent(other, idempotencyKey="k")))["code"] == "CONFLICT"
