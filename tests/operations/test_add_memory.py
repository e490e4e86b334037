from __future__ import annotations

import asyncio
from typing import Any

import pytest

from graph.store.database import Database
from tests.support.graphql_client import ADD, OCTAVIA, Client
from tests.support.memory import add

SYNOPSIS = [
    (
        "ai",
        (
            "Parable of the Sower is a science fiction novel by Octavia Butler, published in 1993. It follows the story"
            " of Lauren Olamina, a young woman living in a dystopian future where society has collapsed due to"
            " environmental disasters, poverty, and violence."
        ),
        56,
    ),
    ("human", "Write a short synopsis of Butler's book, Parable of the Sower. What is it about?", 23),
]


async def test_the_sample_conversation_is_kept_in_order(client: Client) -> None:
    added = await add(client, "octavia", OCTAVIA)
    assert added["session"]["messageCount"] == 3
    assert added["replayed"] is False
    memory = (
        await client.data(
            """{ memory(sessionId: "octavia") { summary { content } tokenCount messages {
                 uuid seq createdAt role content metadata tokenCount entities { name } enrichment { state } } } }"""
        )
    )["memory"]
    assert [message["seq"] for message in memory["messages"]] == [1, 2, 3]
    assert [(message["role"], message["content"]) for message in memory["messages"]] == [
        (message["role"], message["content"]) for message in OCTAVIA
    ]
    assert [message["metadata"] for message in memory["messages"]] == [{}, {}, {"foo": "bar"}]
    assert memory["summary"] is None
    assert memory["tokenCount"] == sum(message["tokenCount"] for message in memory["messages"])
    assert [message["enrichment"]["state"] for message in memory["messages"]] == ["PENDING"] * 3


async def test_token_counts_are_the_documented_ones(client: Client) -> None:
    added = await add(client, "s", [{"role": role, "content": content} for role, content, _ in SYNOPSIS])
    assert [message["tokenCount"] for message in added["memory"]["messages"]] == [56, 23]


async def test_unknown_things_are_null(client: Client) -> None:
    assert await client.data('{ memory(sessionId: "nobody") { uuid } session(sessionId: "nobody") { uuid } }') == {
        "memory": None,
        "session": None,
    }


async def test_the_same_idempotency_key_changes_nothing_twice(client: Client) -> None:
    first = await add(client, "s", OCTAVIA, idempotencyKey="k")
    second = await add(client, "s", OCTAVIA, idempotencyKey="k")
    assert second == {**first, "replayed": True}


async def test_the_same_idempotency_key_at_once_stores_once(client: Client) -> None:
    results = await asyncio.gather(*(add(client, "s", OCTAVIA, idempotencyKey="k") for _ in range(8)))
    assert sorted(result["replayed"] for result in results) == [False] + [True] * 7
    assert {result["memory"]["uuid"] for result in results} == {results[0]["memory"]["uuid"]}
    assert (await client.data('{ session(sessionId: "s") { messageCount } }'))["session"]["messageCount"] == 3


async def test_a_message_sent_again_with_its_uuid_is_updated_in_place(client: Client) -> None:
    uuid = "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa"
    sent = [{"uuid": uuid.upper(), "role": "human", "content": "first", "metadata": {"a": 1, "b": {"c": 1}}}]
    first = await add(client, "s", [*sent, {"role": "ai", "content": "second"}])
    assert first["memory"]["messages"][0]["uuid"] == uuid
    again = await add(client, "s", sent)
    assert again["replayed"] is True
    assert again["memory"]["uuid"] == first["memory"]["uuid"]
    edited = await add(
        client,
        "s",
        [{"uuid": uuid, "role": "human", "content": "changed text", "metadata": {"b": {"d": 2}, "a": None}}],
    )
    assert edited["replayed"] is False
    message = edited["memory"]["messages"][0]
    assert (message["seq"], message["content"], message["metadata"]) == (1, "changed text", {"b": {"c": 1, "d": 2}})
    assert edited["session"]["messageCount"] == 2
    assert edited["session"]["tokenCount"] == sum(item["tokenCount"] for item in edited["memory"]["messages"])
    assert edited["memory"]["tokenCount"] == edited["session"]["tokenCount"]


async def test_known_messages_sent_again_with_more_of_the_session_change_the_session(client: Client) -> None:
    sent = [{"uuid": "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0ad", "role": "human", "content": "first"}]
    query = '{ session(sessionId: "s") { updatedAt metadata messageCount user { userId } } }'
    first = await add(client, "s", sent, metadata={"a": {"b": 1}})
    before = (await client.data(query))["session"]
    assert (await add(client, "s", sent, metadata={"a": {"b": 1}}))["replayed"] is True
    assert (await add(client, "s", sent))["replayed"] is True
    assert (await client.data(query))["session"] == before

    given = await add(client, "s", sent, metadata={"a": {"c": 2}}, userId="ann")
    assert (given["replayed"], given["memory"]["uuid"]) == (False, first["memory"]["uuid"])
    after = (await client.data(query))["session"]
    assert (after["metadata"], after["user"], after["messageCount"]) == ({"a": {"b": 1, "c": 2}}, {"userId": "ann"}, 1)
    assert after["updatedAt"] > before["updatedAt"]
    assert (await add(client, "s", sent, metadata={"a": {"c": 2}}, userId="ann"))["replayed"] is True
    error = await client.error(ADD, input={"sessionId": "s", "messages": sent, "userId": "bob"})
    assert error["code"] == "CONFLICT"
    assert (await client.data('{ user(userId: "bob") { uuid } }'))["user"] is None
    assert (await client.data(query))["session"] == after

    keyed = {"idempotencyKey": "k", "metadata": {"x": 1}}
    await add(client, "s", OCTAVIA, **keyed)
    await client.data('mutation { updateSession(input: { sessionId: "s", metadata: { x: 2 } }) { session { uuid } } }')
    assert (await add(client, "s", OCTAVIA, **keyed))["replayed"] is True  # a late retry takes nothing back
    assert (await client.data(query))["session"]["metadata"]["x"] == 2


async def test_known_and_new_messages_in_one_call(client: Client) -> None:
    uuid = "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0ab"
    await add(client, "s", [{"uuid": uuid, "role": "human", "content": "old"}])
    mixed = await add(
        client, "s", [{"role": "ai", "content": "new"}, {"uuid": uuid, "role": "human", "content": "edited"}]
    )
    assert [message["content"] for message in mixed["memory"]["messages"]] == ["new"]
    memory = await client.data('{ memory(sessionId: "s") { messages { seq content } } }')
    assert memory["memory"]["messages"] == [{"seq": 1, "content": "edited"}, {"seq": 2, "content": "new"}]


async def test_a_uuid_of_another_session_is_a_conflict(client: Client) -> None:
    uuid = "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0ac"
    await add(client, "one", [{"uuid": uuid, "role": "human", "content": "x"}])
    error = await client.error(
        ADD, input={"sessionId": "two", "messages": [{"uuid": uuid, "role": "human", "content": "x"}]}
    )
    assert error["code"] == "CONFLICT"
    assert (await client.data('{ session(sessionId: "two") { uuid } }'))["session"] is None


async def test_a_session_keeps_its_user(client: Client) -> None:
    await add(client, "s", OCTAVIA)
    await add(client, "s", OCTAVIA, userId="ann")
    error = await client.error(ADD, input={"sessionId": "s", "messages": OCTAVIA, "userId": "bob"})
    assert error["code"] == "CONFLICT"
    assert (await client.data('{ session(sessionId: "s") { messageCount } }'))["session"]["messageCount"] == 6


async def test_metadata_is_merged_into_the_session(client: Client) -> None:
    await add(client, "s", OCTAVIA, metadata={"a": {"b": 1, "c": 2}, "gone": 1, "kept": None})
    assert (await add(client, "s", OCTAVIA, metadata={"a": {"b": 3}, "gone": None}))["session"]["metadata"] == {
        "a": {"b": 3, "c": 2},
        "kept": None,
    }


@pytest.mark.parametrize("sessions", [1, 4])
async def test_writers_at_once_leave_no_gap_and_no_repeat(client: Client, database: Database, sessions: int) -> None:
    async def write(number: int) -> list[int]:
        added = await add(
            client,
            f"s{number % sessions}",
            [{"role": "human", "content": f"{number}"}, {"role": "ai", "content": "ok"}],
        )
        return [message["seq"] for message in added["memory"]["messages"]]

    places = await asyncio.gather(*(write(number) for number in range(32)))
    assert all(second == first + 1 for first, second in places)
    for number in range(sessions):
        found = await database.messages.find({"sessionId": f"s{number}"}, sort=[("seq", 1)])
        assert [message["seq"] for message in found] == list(range(1, 64 // sessions + 1))


async def test_the_window_and_last(client: Client) -> None:
    await add(client, "s", [{"role": "human", "content": str(number)} for number in range(20)])
    data = await client.data(
        """{ memory(sessionId: "s") { messages { content } none: messages(last: 0) { content }
             three: messages(last: 3) { content } all: messages(last: 1000) { content } } }"""
    )
    memory = {name: [message["content"] for message in found] for name, found in data["memory"].items()}
    assert memory["messages"] == [str(number) for number in range(8, 20)]
    assert memory["none"] == []
    assert memory["three"] == ["17", "18", "19"]
    assert memory["all"] == [str(number) for number in range(20)]


@pytest.mark.parametrize("last", [-1, 1001])
async def test_last_out_of_range_is_refused(client: Client, last: int) -> None:
    await add(client, "s", OCTAVIA)
    error = await client.error('query($n: Int) { memory(sessionId: "s") { messages(last: $n) { seq } } }', n=last)
    assert error["code"] == "BAD_USER_INPUT"


OTHER: list[dict[str, Any]] = [
    {"messages": [{**OCTAVIA[0], "content": "other"}, *OCTAVIA[1:]]},
    {"messages": OCTAVIA[:2]},
    {"messages": list(reversed(OCTAVIA))},
    {"messages": [{**OCTAVIA[0], "role": "ai"}, *OCTAVIA[1:]]},
    {"messages": [{**OCTAVIA[0], "metadata": {"a": 1}}, *OCTAVIA[1:]]},
    {"messages": [{**OCTAVIA[0], "uuid": "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0ae"}, *OCTAVIA[1:]]},
    {"metadata": {"m": 2, "n": {"a": 1, "b": 2}}},
    {"metadata": {}},
    {"userId": "ann"},
]


async def test_the_same_idempotency_key_with_another_payload_is_a_conflict(client: Client) -> None:
    sent: dict[str, Any] = {"messages": OCTAVIA, "metadata": {"m": 1, "n": {"a": 1, "b": 2}}}
    first = await add(client, "s", **sent, idempotencyKey="k")
    for other in OTHER:
        error = await client.error(ADD, input={"sessionId": "s", **sent, **other, "idempotencyKey": "k"})
        assert error["code"] == "CONFLICT", other
        assert "idempotencyKey" in error["message"]
    for same in ({}, {"awaitEntities": False}, {"metadata": {"n": {"b": 2, "a": 1}, "m": 1}}):
        assert await add(client, "s", **{**sent, **same}, idempotencyKey="k") == {**first, "replayed": True}
    await add(client, "other", **{**sent, **OTHER[0]}, idempotencyKey="k")  # a key is of its session


async def test_a_memory_that_was_stored_before_digests_is_replayed(client: Client, database: Database) -> None:
    await add(client, "s", OCTAVIA, idempotencyKey="k")
    await database.memories.update_one({"sessionId": "s"}, {"$unset": {"payloadDigest": ""}})
    assert (await add(client, "s", OCTAVIA[:1], idempotencyKey="k"))["replayed"] is True
