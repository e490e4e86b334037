"""A session's memory with its messages: one read of the database."""

from __future__ import annotations

import logging

import pytest

from graph.errors import Unavailable
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import SessionDocument
from graph.store.driver.client import RESPONSE_CODEC, close, connect
from graph.store.driver.collection import collection_of
from tests.support.access import served_with
from tests.support.commands import Commands
from tests.support.driver import DRIVER
from tests.support.graphql_client import ADD, OCTAVIA, Client

LAST = 'query($last: Int) { memory(sessionId: "s") { tokenCount messages(last: $last) { seq content createdAt } } }'


@pytest.mark.parametrize("query", [LAST, '{ session(sessionId: "s") { memory { messages { seq } } } }'])
async def test_memory_and_messages_are_one_read(client: Client, commands: Commands, query: str) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA})
    with commands.recorded() as seen:
        await client.data(query)
    assert [name for name, _ in seen][-1] == "aggregate"
    assert len(seen) == (1 if query == LAST else 2)


@pytest.mark.parametrize(
    ("last", "expected"), [(None, [3, 4, 5]), (2, [4, 5]), (4, [2, 3, 4, 5]), (0, []), (9, [1, 2, 3, 4, 5])]
)
async def test_the_summary_bounds_only_the_default(
    client: Client, database: Database, last: int | None, expected: list[int]
) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": (OCTAVIA * 2)[:5]})
    await database.sessions.update_one({"_id": "s"}, {"$set": {"summarySeq": 2}})
    for _ in range(2):
        memory = (await client.data(LAST, last=last))["memory"]
        assert [message["seq"] for message in memory["messages"]] == expected


async def test_erased_messages_are_not_recalled(client: Client, database: Database) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": (OCTAVIA * 2)[:5]})
    await database.sessions.update_one({"_id": "s"}, {"$set": {"erasedSeq": 3}})
    for query in (LAST, '{ memory(sessionId: "s") { messages { seq } b: messages { seq } } }'):
        memory = (await client.data(query, **({"last": 5} if query == LAST else {})))["memory"]
        assert [message["seq"] for message in memory["messages"]] == [4, 5]


@pytest.mark.slow
async def test_messages_too_large_for_one_batch_are_recalled_where_answers_have_no_limit(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    text = "x" * 1_000_000
    async with served_with(settings, mongodb_uri, max_answer_bytes=0) as client:
        for _ in range(5):
            await client.data(
                ADD.replace("messages { uuid seq role content metadata tokenCount }", "uuid"),
                input={"sessionId": "s", "messages": [{"role": "human", "content": text}] * 4},
            )
        memory = (await client.data(LAST, last=18))["memory"]
    assert [message["seq"] for message in memory["messages"]] == list(range(3, 21))
    assert {len(message["content"]) for message in memory["messages"]} == {len(text)}


async def test_an_unknown_session_has_no_memory(client: Client) -> None:
    assert await client.data(LAST, last=3) == {"memory": None}


async def test_wrong_arguments_are_the_messages_fault(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA})
    error = await client.error(LAST, last=1001)
    assert error["path"] == ["memory", "messages"]


async def test_a_server_that_is_away_is_waited_for_once(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = connect("mongodb://127.0.0.1:1/?directConnection=true", pool_size=1, timeout=0.5, driver=DRIVER)
    sessions = collection_of(nowhere["away"], "sessions", SessionDocument)
    with caplog.at_level(logging.DEBUG, "pymongo.serverSelection"), pytest.raises(Unavailable):
        await sessions.aggregate_at_once([], RESPONSE_CODEC, most=1)
    await close(nowhere)
    assert sum("Server selection failed" in record.getMessage() for record in caplog.records) == 1
