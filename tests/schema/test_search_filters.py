"""What a filter, a phrase or a foreign id does to `search`, as a field of the query, of a session and of a user."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from graph.enrichment.entities import Extractor
from graph.enrichment.worker import Worker
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import ADD, Client

_FOUND = "totalCount edges { node { content } } pageInfo { hasNextPage }"
_OPERATION = f"""
query($words: String!, $first: Int, $filter: MessageFilter) {{
  search(userId: "ada", query: $words, first: $first, filter: $filter) {{ {_FOUND} }}
  user(userId: "ada") {{ search(query: $words, first: $first, filter: $filter) {{ {_FOUND} }} }}
  session(sessionId: "trips") {{ search(query: $words, first: $first, filter: $filter) {{ {_FOUND} }} }}
}}
"""
SAID: list[dict[str, Any]] = [
    {"role": "user", "content": "My trip to Berlin was long", "metadata": {"tags": ["work"], "cost": 120}},
    {"role": "assistant", "content": "What did the trip cost?", "metadata": {"tags": []}},
    {"role": "user", "content": "The trip to Paris was short", "metadata": {"tags": ["home", "work"], "cost": None}},
]


@pytest.fixture
async def trips(client: Client, database: Database, settings: Settings) -> Client:
    await client.data(ADD, input={"sessionId": "trips", "userId": "ada", "messages": SAID})
    other = {**SAID[0], "content": "Berlin, the trip of Bob"}
    await client.data(ADD, input={"sessionId": "of bob", "userId": "bob", "messages": [other]})
    await Worker(database, Extractor(), settings).run(asyncio.Event(), drain=True)
    return client


async def found(client: Client, words: str = "trip", **variables: Any) -> dict[str, Any]:
    """What the three fields find, which is the same."""
    data = await client.data(_OPERATION, words=words, **variables)
    page: dict[str, Any] = data["search"]
    assert page == data["user"]["search"] == data["session"]["search"]
    return page


async def places(client: Client, words: str = "trip", **filter_: Any) -> set[int]:
    page = await found(client, words, filter=filter_)
    assert page["totalCount"] == len(page["edges"])
    contents = [message["content"] for message in SAID]
    return {contents.index(edge["node"]["content"]) for edge in page["edges"]}


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ({"path": "cost", "equals": 120}, {0}),
        ({"path": "cost", "equals": None}, {2}),
        ({"path": "cost", "exists": False}, {1}),
        ({"path": "tags", "contains": "work"}, {0, 2}),
        ({"segments": ["tags", "0"], "equals": "home"}, {2}),
    ],
)
async def test_metadata(trips: Client, condition: dict[str, Any], wanted: set[int]) -> None:
    assert await places(trips, metadata=[condition]) == wanted
    assert await places(trips, metadata=[condition], roles=["assistant"]) == wanted & {1}


async def test_conditions_hold_together(trips: Client) -> None:
    work = {"path": "tags", "contains": "work"}
    assert await places(trips, metadata=[work, {"path": "cost", "equals": None}]) == {2}
    assert await places(trips, metadata=[]) == {0, 1, 2}
    assert await places(trips, metadata=[work], sessionIds=["of bob"]) == set()
    assert await places(trips, metadata=[work], sessionIds=[]) == set()


async def test_has_entity(trips: Client) -> None:
    assert await places(trips, hasEntity="Berlin") == {0}
    assert await places(trips, hasEntity="PARIS") == {2}
    assert await places(trips, hasEntity="Ber") == set()
    assert await places(trips, hasEntity=".*") == set()
    assert await places(trips, hasEntity="Berlin", metadata=[{"path": "cost", "exists": False}]) == set()


async def test_a_phrase_and_a_filter_hold_together(trips: Client) -> None:
    assert await places(trips, '"the trip"') == {1, 2}
    assert await places(trips, '"the trip" "was short"') == {2}
    assert await places(trips, '"the trip"', roles=["assistant"]) == {1}
    assert await places(trips, '"trip the"') == set()


async def test_the_total_is_of_all_pages(trips: Client) -> None:
    page = await found(trips, first=2)
    assert (page["totalCount"], len(page["edges"]), page["pageInfo"]["hasNextPage"]) == (3, 2, True)
    assert (await found(trips, "nothing has these words", first=2))["totalCount"] == 0


@pytest.mark.parametrize(
    ("filter_", "message"),
    [
        ({"hasEntity": ""}, "filter.hasEntity must not be empty"),
        ({"hasEntity": "e" * 1_025}, "filter.hasEntity has 1,025 bytes, and at most 1,024 are accepted"),
        ({"metadata": [{"path": "a"}]}, "filter.metadata[0] needs one of equals, contains and exists"),
        (
            {"metadata": [{"path": "a", "exists": True}] * 21},
            "filter.metadata has 21 items, and at most 20 are accepted",
        ),
        ({"sessionIds": ["s"] * 101}, "filter.sessionIds has 101 items, and at most 100 are accepted"),
    ],
)
async def test_what_is_not_accepted(client: Client, filter_: dict[str, Any], message: str) -> None:
    error = await client.error('query($f: MessageFilter) { search(query: "a", filter: $f) { totalCount } }', f=filter_)
    assert (error["code"], error["message"]) == ("BAD_USER_INPUT", message)


async def test_foreign_ids_lead_nowhere(settings: Settings, mongodb_uri: str, database: Database) -> None:
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        for user in ("ada", "bob"):
            as_caller(client, token(user))
            said = [{"role": "user", "content": f"The zebra of {user}", "metadata": {"of": user}}]
            await client.data(ADD, input={"sessionId": f"of-{user}", "messages": said})
        as_caller(client, token("ada"))
        foreign = await client.data(_FOREIGN)
        assert foreign.pop("mine")["totalCount"] == 1
        for name, page in foreign.items():
            assert page is None or page in ({"edges": [], "totalCount": 0}, _NO_CONTEXT, {"search": _NONE}), name
        assert "bob" not in str(foreign)


_NONE = {"edges": [], "totalCount": 0}
_NO_CONTEXT = {"text": "", "recalled": []}
_FOREIGN = """
fragment Found on MessageSearchConnection { edges { node { content } } totalCount }
fragment Held on Context { text recalled { message { content } } }
{
  mine: search(query: "zebra") { ...Found }
  user: search(query: "zebra", userId: "bob") { ...Found }
  session: search(query: "zebra", sessionId: "of-bob") { ...Found }
  both: search(query: "zebra", userId: "ada", sessionId: "of-bob") { ...Found }
  filter: search(query: "zebra", filter: { sessionIds: ["of-bob"] }) { ...Found }
  metadata: search(query: "zebra", filter: { metadata: { path: "of", equals: "bob" } }) { ...Found }
  entity: search(query: "zebra", filter: { sessionIds: ["of-bob"], hasEntity: "bob" }) { ...Found }
  phrase: search(query: "\\"zebra of bob\\"") { ...Found }
  meaning: search(query: "zebra", mode: VECTOR, userId: "bob") { ...Found }
  ofUser: user(userId: "bob") { search(query: "zebra") { ...Found } context(query: "zebra", maxTokens: 99) { ...Held } }
  ofSession: session(sessionId: "of-bob") { search(query: "zebra") { ...Found } context(maxTokens: 99) { ...Held } }
  ofMine: session(sessionId: "of-ada") { search(query: "zebra", filter: { sessionIds: ["of-bob"] }) { ...Found } }
  contextOfUser: context(query: "zebra", userId: "bob", maxTokens: 99) { ...Held }
  contextOfSession: context(query: "zebra", sessionId: "of-bob", maxTokens: 99) { ...Held }
  contextOfBoth: context(query: "zebra", sessionId: "of-ada", userId: "bob", maxTokens: 99) { ...Held }
}
"""
