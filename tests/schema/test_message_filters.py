"""Filters of the messages of one session."""

from __future__ import annotations

from typing import Any

import pytest

from graph.store.database import Database
from tests.support.graphql_client import ADD, Client
from tests.support.mentions import read_once

LIST = """query($filter: MessageFilter, $first: Int, $after: String, $last: Int) {
  session(sessionId: "s") { messages(filter: $filter, first: $first, after: $after, last: $last) {
    totalCount pageInfo { hasNextPage hasPreviousPage endCursor } edges { node { seq } } } } }"""
SEARCH = 'query($filter: MessageFilter) { search(query: "x", sessionId: "s", filter: $filter) { edges { score } } }'
SAID: list[dict[str, Any]] = [
    {"role": "user", "content": "0 7", "name": "Ada", "createdAt": "2020-01-01T00:00:00Z"},
    {"role": "assistant", "content": "7", "metadata": {"a": {"b": [1, 2]}}},
    {"role": "user", "content": "1", "name": "Bob", "createdAt": "2020-06-01T00:00:00.5Z", "metadata": {"a": 1}},
    {"role": "tool", "content": "", "name": "Ada", "metadata": {"a": {"b": [2]}}},
]


@pytest.fixture
async def session(client: Client, database: Database) -> Client:
    """A session with four messages, whose contents name the entities of `tests.support.mentions`."""
    await client.data(ADD, input={"sessionId": "s", "messages": SAID})
    await read_once(database)
    return client


async def listed(client: Client, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await client.data(LIST, **variables))["session"]["messages"]
    return found


def seqs(found: dict[str, Any]) -> list[int]:
    return [edge["node"]["seq"] for edge in found["edges"]]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"roles": ["user"]}, [1, 3]),
        ({"roles": ["user", "tool"], "names": ["Ada"]}, [1, 4]),
        ({"roles": []}, []),
        ({"names": ["ada"]}, []),
        ({"since": "2020-01-01T00:00:00.001Z"}, [2, 3, 4]),
        ({"since": "2020-01-01T00:00:00Z", "until": "2020-06-01T00:00:00.5Z"}, [1]),
        ({"until": "2020-06-01T00:00:00.5001Z"}, [1, 3]),
        ({"hasEntity": "york"}, [1, 2]),
        ({"hasEntity": "  OCTAVIA   butler"}, [1, 3]),
        ({"hasEntity": "octavia"}, [1, 3]),
        ({"hasEntity": "or"}, []),
        ({"hasEntity": ".*"}, []),
        ({"metadata": [{"path": "a.b", "contains": 1}]}, [2]),
        ({"metadata": [{"path": "a.b", "exists": True}, {"path": "a.b", "contains": 2}]}, [2, 4]),
        ({"hasEntity": "York", "roles": ["assistant"], "metadata": [{"path": "a", "exists": True}]}, [2]),
    ],
)
async def test_messages_that_meet_a_filter_are_listed_and_counted(
    session: Client, wanted: dict[str, Any], expected: list[int]
) -> None:
    found = await listed(session, filter=wanted)
    assert (seqs(found), found["totalCount"]) == (expected, len(expected))


async def test_pages_of_a_filter_join(session: Client) -> None:
    wanted = {"names": ["Ada", "Bob"]}
    first = await listed(session, filter=wanted, first=2)
    assert (seqs(first), first["pageInfo"]["hasNextPage"], first["totalCount"]) == ([1, 3], True, 3)
    rest = await listed(session, filter=wanted, first=2, after=first["pageInfo"]["endCursor"])
    assert (seqs(rest), rest["pageInfo"]["hasNextPage"]) == ([4], False)
    last = await listed(session, filter=wanted, last=1)
    assert (seqs(last), last["pageInfo"]["hasPreviousPage"]) == ([4], True)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"sessionIds": ["s"]}, "filter.sessionIds is for searches: leave it out of the messages of one session"),
        ({"names": ["n"] * 101}, "filter.names has 101 items, and at most 100 are accepted"),
        ({"hasEntity": ""}, "filter.hasEntity must not be empty"),
        ({"metadata": [{"path": "a"}]}, "filter.metadata[0] needs one of equals, contains and exists"),
        (
            {"metadata": [{"path": "a", "exists": True}] * 21},
            "filter.metadata has 21 items, and at most 20 are",
        ),
    ],
)
async def test_a_wrong_filter_is_refused(session: Client, wanted: dict[str, Any], reason: str) -> None:
    error = await session.error(LIST, filter=wanted)
    assert (error["code"], error["message"][: len(reason)]) == ("BAD_USER_INPUT", reason)


async def test_a_search_refuses_what_only_lists_take(session: Client) -> None:
    error = await session.error(SEARCH, filter={"names": ["n"]})
    assert error["message"] == "filter.names is for Session.messages: leave it out of a search"
