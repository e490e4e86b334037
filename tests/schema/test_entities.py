"""Entities, summaries and the state of enrichment over GraphQL."""

from __future__ import annotations

from typing import Any

import pytest

from graph.schema.node import entity_id
from graph.store.database import Database
from graph.store.documents import now
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client
from tests.support.memory import add
from tests.support.mentions import NAMES, read_once
from tests.support.untyped import untyped

OCTAVIA, BUTLER, LEE, YORK, TODAY = 0, 1, 4, 7, 9
assert [NAMES[number][1] for number in (OCTAVIA, BUTLER, LEE, YORK, TODAY)] == [
    "Octavia",
    "Octavia Butler",
    "Anna Lee",
    "York",
    "today",
]

LIST = """
query List($session: ID!, $labels: [String!], $search: String, $first: Int, $after: String) {
  session(sessionId: $session) {
    entities(labels: $labels, search: $search, first: $first, after: $after) {
      totalCount
      pageInfo { hasNextPage endCursor }
      edges { cursor node { id name label mentionCount firstSeenAt lastSeenAt } }
    }
  }
}
"""


async def say(client: Client, session_id: str, *contents: str, user_id: str | None = None) -> list[dict[str, Any]]:
    sent = [{"role": "human", "content": content} for content in contents]
    found: list[dict[str, Any]] = (await add(client, session_id, sent, userId=user_id))["memory"]["messages"]
    return found


async def names(client: Client, **variables: Any) -> list[tuple[str, int]]:
    page = (await client.data(LIST, **{"session": "s", **variables}))["session"]["entities"]
    assert page["totalCount"] >= len(page["edges"])
    return [(edge["node"]["name"], edge["node"]["mentionCount"]) for edge in page["edges"]]


@pytest.fixture
async def told(client: Client, database: Database) -> list[dict[str, Any]]:
    """A session in which three things are mentioned."""
    messages = await say(client, "s", f"{YORK} {OCTAVIA}", f"{BUTLER} {BUTLER} {YORK}", f"{LEE}", user_id="u")
    while await read_once(database):
        continue
    return messages


async def test_a_sessions_entities_are_merged_and_most_mentioned_first(
    client: Client, told: list[dict[str, Any]]
) -> None:
    assert await names(client) == [("Octavia Butler", 3), ("York", 2), ("Anna Lee", 1)]
    assert await names(client, labels=["GPE", "DATE"]) == [("York", 2)]
    assert await names(client, labels=[]) == []
    assert await names(client, search="BUTL") == [("Octavia Butler", 3)]
    assert await names(client, search="person") == []
    assert await names(client, search="a", labels=["PERSON"]) == [("Octavia Butler", 3), ("Anna Lee", 1)]


async def test_pages_of_entities_go_on_where_the_last_one_ended(client: Client, told: list[dict[str, Any]]) -> None:
    found: list[str] = []
    after = None
    while True:
        page = (await client.data(LIST, session="s", first=1, after=after))["session"]["entities"]
        found += [edge["node"]["name"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == ["Octavia Butler", "York", "Anna Lee"]


async def test_an_entity_leads_to_the_messages_and_sessions_that_mention_it(
    client: Client, told: list[dict[str, Any]]
) -> None:
    query = """
      query Entity($id: ID!) {
        entity(id: $id) {
          id name
          matches { text start message { uuid } }
          messages { totalCount edges { node { uuid } } }
          sessions { totalCount edges { node { sessionId } } }
        }
        node(id: $id) { id ... on Entity { name } }
      }
    """
    for owner in ("s:s", "u:u"):
        listed = f"{owner}"
        key = "PERSON:octavia butler"
        found = await client.data(query, id=entity_id(listed, key))
        entity = found["entity"]
        assert found["node"] == {"id": entity["id"], "name": "Octavia Butler"}
        in_session = owner == "s:s"  # where a short name counts for the full one
        uuids = [told[0]["uuid"], told[1]["uuid"]] if in_session else [told[1]["uuid"]]
        assert [edge["node"]["uuid"] for edge in entity["messages"]["edges"]] == uuids
        assert entity["messages"]["totalCount"] == len(uuids)
        assert entity["sessions"] == {"totalCount": 1, "edges": [{"node": {"sessionId": "s"}}]}
        texts = [match["text"] for match in entity["matches"]]
        assert texts == (["Octavia"] if in_session else []) + ["Octavia Butler"] * 2
        assert [match["message"]["uuid"] for match in entity["matches"]][-1] == told[1]["uuid"]


async def test_a_message_and_a_memory_have_entities_of_their_own(client: Client, told: list[dict[str, Any]]) -> None:
    data = await client.data(
        """{ memory(sessionId: "s") {
               entities { id name mentionCount matches(first: 1) { text message { seq } } }
               messages { entities { id name sessions(first: 2) { edges { node { sessionId } } }
                 messages(first: 2) { edges { node { seq } } } } } }
             session(sessionId: "s") { memories(first: 2) { edges { node { entities(labels: ["GPE"]) { id name
               mentionCount messages(first: 2) { edges { node { seq } } } } } } } } }"""
    )
    assert [(entity["name"], entity["mentionCount"]) for entity in data["memory"]["entities"]] == [
        ("Octavia Butler", 3),
        ("York", 2),
        ("Anna Lee", 1),
    ]
    assert data["memory"]["entities"][0]["matches"] == [{"text": "Octavia", "message": {"seq": 1}}]
    of_message = data["memory"]["messages"][0]["entities"][0]
    assert of_message["name"] == "York"
    assert of_message["messages"]["edges"] == [{"node": {"seq": 1}}]
    assert of_message["sessions"]["edges"] == [{"node": {"sessionId": "s"}}]
    (of_memory,) = data["session"]["memories"]["edges"][0]["node"]["entities"]
    assert (of_memory["name"], of_memory["mentionCount"]) == ("York", 2)
    assert [edge["node"]["seq"] for edge in of_memory["messages"]["edges"]] == [1, 2]
    ids = {entity["id"] for entity in (of_message, of_memory, data["memory"]["entities"][1])}
    assert len(ids) == 3
    nodes = (await client.data("query N($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=sorted(ids)))["nodes"]
    assert [node["id"] for node in nodes] == sorted(ids)


async def test_a_users_entities_are_those_of_all_its_sessions(
    client: Client, database: Database, told: list[dict[str, Any]]
) -> None:
    await say(client, "t", f"{YORK} {TODAY}")
    while await read_once(database):
        continue
    query = """{ user(userId: "u") { entities(first: 10) { edges { node {
      name mentionCount sessions(first: 5) { edges { node { sessionId } } } } } } } }"""
    found = (await client.data(query))["user"]["entities"]["edges"]
    assert ("today", 1) not in [(edge["node"]["name"], edge["node"]["mentionCount"]) for edge in found]
    await say(client, "t", "", user_id="u")  # the session gets its user
    found = (await client.data(query))["user"]["entities"]["edges"]
    by_name = {edge["node"]["name"]: edge["node"] for edge in found}
    assert by_name["York"]["mentionCount"] == 3
    assert [edge["node"]["sessionId"] for edge in by_name["York"]["sessions"]["edges"]] == ["s", "t"]
    assert by_name["today"]["mentionCount"] == 1


async def test_unknown_entities_are_null(client: Client, told: list[dict[str, Any]]) -> None:
    query = "query E($id: ID!) { entity(id: $id) { name } }"
    for unknown in (
        entity_id("s:s", "GPE:nowhere"),
        entity_id("s:nobody", "GPE:york"),
        entity_id("x:s", "GPE:york"),
        "no id",
    ):
        assert await client.data(query, id=unknown) == {"entity": None}


async def test_bad_arguments_are_told(client: Client, told: list[dict[str, Any]]) -> None:
    for variables, word in (
        ({"after": "x"}, "after"),
        ({"first": -1}, "first"),
        ({"search": "x" * 257}, "search"),
        ({"labels": ["x"] * 101}, "labels"),
    ):
        error = await client.error(LIST, session="s", **variables)
        assert error["code"] == "BAD_USER_INPUT"
        assert word in error["message"]
    query = 'query Q($labels: [String!]) { memory(sessionId: "s") { entities(labels: $labels) { id } } }'
    error = await client.error(query, labels=["x"] * 101)
    assert (error["code"], error["message"]) == (
        "BAD_USER_INPUT",
        "labels has 101 items, and at most 100 are accepted",
    )


async def test_the_length_of_a_list_is_checked_where_a_message_has_no_entities(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "human", "content": "and then?"}]})
    for first in (-1, 1_001):
        error = await client.error(
            f'{{ session(sessionId: "s") {{ lastMessage {{ entities(first: {first}) {{ id }} }} }} }}'
        )
        assert error["code"] == "BAD_USER_INPUT"
        assert error["message"].startswith("first ")


async def test_progress_and_retries(client: Client, database: Database, told: list[dict[str, Any]]) -> None:
    progress = "enrichment { pending done failed oldestPendingAt }"
    query = f'{{ enrichment {{ pending done failed }} session(sessionId: "s") {{ {progress} }} }}'
    done = {"pending": 0, "done": 3, "failed": 0}
    assert await client.data(query) == {
        "enrichment": done,
        "session": {"enrichment": {**done, "oldestPendingAt": None}},
    }
    failed = {"state": "FAILED", "attempts": 5, "at": now(), "reason": "because"}
    await database.messages.update_many({"seq": {"$lte": 2}}, {"$set": {"enrichment": failed}})
    assert (await client.data(query))["enrichment"] == {"pending": 0, "done": 1, "failed": 2}
    retry = """mutation R($sessionId: ID, $uuid: UUID) {
      retryEnrichment(input: { sessionId: $sessionId, uuid: $uuid }) { retried } }"""
    assert await client.data(retry, uuid=told[0]["uuid"]) == {"retryEnrichment": {"retried": 1}}
    assert await client.data(retry, uuid=told[0]["uuid"]) == {"retryEnrichment": {"retried": 0}}
    assert await client.data(retry, sessionId="s") == {"retryEnrichment": {"retried": 1}}
    found = (await client.data(query))["session"]["enrichment"]
    assert (found["pending"], found["done"], found["failed"]) == (2, 1, 0)
    assert found["oldestPendingAt"] is not None
    assert (await client.error(retry))["code"] == "BAD_USER_INPUT"
    assert (await client.error(retry, sessionId="s", uuid=told[0]["uuid"]))["code"] == "BAD_USER_INPUT"
    assert (await client.error(retry, sessionId="nobody"))["code"] == "NOT_FOUND"
    assert (await client.error(retry, uuid="0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa"))["code"] == "NOT_FOUND"


async def test_a_list_of_sessions_counts_what_is_pending_and_failed_as_each_session_does(
    client: Client, database: Database, commands: Commands
) -> None:
    for number in range(4):
        messages = [{"role": "human", "content": str(content)} for content in range(5)]
        await client.data(ADD, input={"sessionId": f"s{number}", "messages": messages})
        done = {"seq": {"$gt": number}, "sessionId": f"s{number}"}
        await database.messages.update_many(done, {"$set": {"enrichment.state": "DONE"}})
    await database.messages.update_many({"seq": 2}, {"$set": {"enrichment.state": "FAILED"}})
    await database.sessions.update_one({"_id": "s3"}, {"$set": {"erasedSeq": 1}})
    listed = "{ sessions { edges { node { sessionId enrichment { %s } } } } }"
    with commands.recorded() as seen:
        found = await client.data(listed % "pending failed")
    assert [name for name, _ in seen] == ["find", "aggregate"]
    each = await client.data(listed % "pending failed done")
    for few, all_ in zip(found["sessions"]["edges"], each["sessions"]["edges"], strict=True):
        assert few["node"]["enrichment"].items() <= all_["node"]["enrichment"].items(), few
    counts = [edge["node"]["enrichment"] for edge in found["sessions"]["edges"]]
    assert counts == [{"pending": pending, "failed": 1} for pending in (0, 1, 1, 1)]


async def test_summaries_are_listed_with_what_they_name(
    client: Client, database: Database, told: list[dict[str, Any]]
) -> None:
    summary = {
        "sessionId": "s",
        "firstSeq": 1,
        "tokenCount": 3,
        "source": "EXTRACTIVE",
        "createdAt": now(),
        "lastMessageUuid": told[0]["uuid"],
    }
    match = {"start": 0, "end": 4, "text": "York"}
    entities = [{"key": "GPE:york", "name": "York", "label": "GPE", "matches": [match]}]
    ids = ["0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa", "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0ab"]
    await untyped(database, "summaries").insert_many(
        [
            {**summary, "_id": ids[0], "lastSeq": 1, "content": "York", "entities": entities, "stale": True},
            {**summary, "_id": ids[1], "lastSeq": 2, "content": "York again", "entities": entities},
        ]
    )
    data = await client.data(
        """{ session(sessionId: "s") { memory { summary { uuid entities { id name mentionCount
               matches { text message { seq } } } } }
             summaries(first: 5) { totalCount edges { node {
               uuid lastSeq stale entities { name matches { message { seq } } } } } } } }"""
    )
    newest = data["session"]["memory"]["summary"]
    assert newest["uuid"] == ids[1]
    (entity,) = newest["entities"]
    assert (entity["name"], entity["mentionCount"]) == ("York", 1)
    assert entity["matches"] == [{"text": "York", "message": {"seq": seq}} for seq in (1, 2)]
    nodes = [edge["node"] for edge in data["session"]["summaries"]["edges"]]
    assert [(node["uuid"], node["stale"]) for node in nodes] == [(ids[0], True), (ids[1], False)]
    assert nodes[0]["entities"] == [{"name": "York", "matches": [{"message": {"seq": 1}}]}]
    assert (await client.data("query E($id: ID!) { entity(id: $id) { id } }", id=entity["id"]))["entity"] == {
        "id": entity["id"]
    }


async def test_many_entities_matches_are_read_together(client: Client, database: Database) -> None:
    await say(client, "s", *(" ".join(map(str, range(len(NAMES)))) for _ in range(30)))
    while await read_once(database):
        continue
    data = await client.data(
        '{ memory(sessionId: "s") { entities { name mentionCount matches(first: 1000) { text } } } }'
    )
    for entity in data["memory"]["entities"]:
        assert len(entity["matches"]) == entity["mentionCount"]
