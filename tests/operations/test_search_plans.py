"""An index answers each read of a search, and of a list with a filter."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from graph.store.database import Database
from graph.store.documents import now
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client
from tests.support.mentions import read_once
from tests.support.plans import assert_by_index, explained

pytestmark = pytest.mark.new_database

SEARCH = """query($words: String!, $filter: MessageFilter) {
  search(query: $words, userId: "ada", filter: $filter) { totalCount edges { node { content } } } }"""
LIST = """query($filter: MessageFilter) { session(sessionId: "s1") {
  messages(filter: $filter) { totalCount edges { node { seq } } } } }"""
EDIT = "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { uuid } } }"
FILTERS: list[dict[str, Any]] = [
    {"hasEntity": "Octavia"},
    {"hasEntity": "New York", "metadata": [{"path": "n", "equals": 1}]},
    {"metadata": [{"path": "n", "exists": True}]},
    {"roles": ["user"], "since": "2020-01-01T00:00:00Z"},
]


@pytest.fixture
async def sessions(client: Client, database: Database) -> list[str]:
    """Three sessions, whose contents name the entities of `tests.support.mentions`; the uuids of their messages."""
    uuids: list[str] = []
    for number in range(3):
        said = [{"role": "user", "content": f"{n % 11} {number}", "metadata": {"n": n}} for n in range(60)]
        added = await client.data(ADD, input={"sessionId": f"s{number}", "userId": "ada", "messages": said})
        uuids += [message["uuid"] for message in added["addMemory"]["memory"]["messages"]]
    while await read_once(database):
        pass
    return uuids


async def test_every_read_of_a_search_is_by_an_index(
    client: Client, database: Database, commands: Commands, sessions: list[str]
) -> None:
    with commands.recorded() as sent:
        for filter_ in (None, *FILTERS):
            await client.data(SEARCH, words='1 "1 0"', filter=filter_)
            await client.data(EDIT, input={"uuid": sessions[0], "name": f"Ada {filter_}"[:40]})
        for filter_ in FILTERS:
            await client.data(LIST, filter=filter_)
    finds = await assert_by_index(database, sent)
    assert {find["find"] for find in finds} >= {"messages", "recall", "sessions", "entities"}


async def test_a_search_reads_only_the_latest_edits(
    client: Client, database: Database, commands: Commands, sessions: list[str]
) -> None:
    long_ago = now() - timedelta(days=1)
    await database.messages.update_many({}, {"$set": {"editedAt": long_ago, "sessionRevision": 1}})
    await client.data(SEARCH, words="1", filter=None)
    await client.data(EDIT, input={"uuid": sessions[0], "name": "Ada"})
    with commands.recorded() as sent:
        await client.data(SEARCH, words="1", filter=None)
    (find,) = [body for name, body in sent if name == "find" and "editedAt" in body["filter"]]
    stats = (await explained(database, find))["executionStats"]
    assert (stats["nReturned"], stats["totalDocsExamined"]) == (1, 1)
