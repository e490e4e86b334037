from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from graph.schema.node import entity_id, global_id, parse_entity_key, parse_global_id
from graph.store.database import Database
from graph.store.documents import now
from graph.store.jobs import enrichment
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import Outcome
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, OCTAVIA, Client
from tests.support.untyped import untyped

IDS = """query($s: ID!) { session(sessionId: $s) { id user { id } memory { id summary { id } }
  memories { edges { node { id } } } messages { edges { node { id entities { id name } } } } } }"""
NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
SESSION = 'a:b/ü "$x'
USER = "s:c\u2028:d"


@pytest.fixture
async def ids(client: Client, database: Database) -> dict[str, str]:
    """A global id of each kind."""
    await client.data(ADD, input={"sessionId": SESSION, "messages": OCTAVIA, "userId": USER})
    held = await enrichment.claim(database, Limits(10, 10**6, 5), lease_seconds=60)
    match = {"start": 0, "end": 7, "text": "Octavia"}
    entity = {"key": "PERSON:o:c", "name": "o:c", "label": "PERSON", "matches": [match]}
    await enrichment.complete(database, held.lease, [Outcome(uuid, 1, [entity]) for uuid in held.uuids])  # type: ignore[list-item]
    summary: dict[str, object] = {
        "_id": "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa",
        "sessionId": SESSION,
        "firstSeq": 1,
        "lastSeq": 2,
    }
    await untyped(database, "summaries").insert_one(
        {**summary, "content": "", "createdAt": now(), "entities": [entity]}
    )
    session = (await client.data(IDS, s=SESSION))["session"]
    message = session["messages"]["edges"][0]["node"]
    return {
        "Session": session["id"],
        "User": session["user"]["id"],
        "Memory": session["memory"]["id"],
        "Summary": session["memory"]["summary"]["id"],
        "Persisted": session["memories"]["edges"][0]["node"]["id"],
        "Message": message["id"],
        "Entity": message["entities"][0]["id"],
        "EntityOfSession": str(entity_id(f"s:{SESSION}", "PERSON:o:c")),
    }


async def test_everything_is_found_by_its_id(client: Client, ids: dict[str, str]) -> None:
    assert len(set(ids.values())) == len(ids)
    nodes = (await client.data(NODES, ids=list(ids.values())))["nodes"]
    kinds = ["Session", "User", "Memory", "Summary", "Memory", "Message", "Entity", "Entity"]
    assert nodes == [{"__typename": kind, "id": id_} for kind, id_ in zip(kinds, ids.values(), strict=True)]
    for kind, node in zip(kinds, nodes, strict=True):
        one = await client.data("query($id: ID!) { node(id: $id) { __typename id } }", id=node["id"])
        assert one["node"] == {"__typename": kind, "id": node["id"]}


async def test_a_node_has_the_fields_of_its_type(client: Client, ids: dict[str, str]) -> None:
    query = """query($ids: [ID!]!) { nodes(ids: $ids) { id
      ... on Session { sessionId messages(first: 1) { edges { node { role } } } }
      ... on User { userId sessions { totalCount } }
      ... on Message { content session { sessionId } }
      ... on Memory { newest: messages(last: 1) { seq } }
      ... on Summary { lastSeq }
      ... on Entity { name mentionCount } } }"""
    nodes = (await client.data(query, ids=list(ids.values())))["nodes"]
    found = {kind: {key: node[key] for key in node if key != "id"} for kind, node in zip(ids, nodes, strict=True)}
    assert found == {
        "Session": {"sessionId": SESSION, "messages": {"edges": [{"node": {"role": "human"}}]}},
        "User": {"userId": USER, "sessions": {"totalCount": 1}},
        "Message": {"content": OCTAVIA[0]["content"], "session": {"sessionId": SESSION}},
        "Memory": {"newest": [{"seq": 3}]},
        "Persisted": {"newest": [{"seq": 3}]},
        "Summary": {"lastSeq": 2},
        "Entity": {"name": "o:c", "mentionCount": 1},
        "EntityOfSession": {"name": "o:c", "mentionCount": 3},
    }


async def test_an_unknown_id_is_null_in_its_place(client: Client, ids: dict[str, str]) -> None:
    def raw(text: str) -> str:
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    unknown = [
        "",
        "x",
        "é",
        raw("Session"),
        raw("Session:"),
        raw("Session:nobody"),
        raw("Session:\0"),
        raw("Secret:1"),
        raw("Query:1"),
        raw("Message:nonsense"),
        raw("Message:0B3B9A2E-52E9-4E0C-8F5A-6F2F35A1F0AA"),
        raw("Memory:x:1"),
        raw("Memory:s:nobody"),
        raw("Memory:m:0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0ff"),
        raw("Entity:1"),
        raw("Entity:99:PERSON"),
        raw("Entity:-1:as:b"),
        raw("Entity:1:as:nobody"),
        raw("Entity:1:aq:nobody"),
        raw("Entity:" + "9" * 5000 + ":a"),
        ids["Session"] + "=",
        "A" * 10_000,
    ]
    sent = [item for id_ in unknown for item in (id_, ids["Session"])]
    nodes = (await client.data(NODES, ids=sent))["nodes"]
    assert nodes[0::2] == [None] * len(unknown)
    assert all(node == {"__typename": "Session", "id": ids["Session"]} for node in nodes[1::2])
    assert (await client.data('{ node(id: "x") { id } }'))["node"] is None


@pytest.mark.parametrize("id_", ["", "a\0b", "x" * 513, "\ud800"])
async def test_what_can_be_no_id_is_the_id_of_nothing(client: Client, id_: str) -> None:
    query = """query($id: ID!) { session(sessionId: $id) { uuid } memory(sessionId: $id) { uuid }
      user(userId: $id) { uuid } node(id: $id) { id } nodes(ids: [$id]) { id } }"""
    response = await client.http.post(
        "/graphql",
        content=json.dumps({"query": query, "variables": {"id": id_}}),
        headers={"content-type": "application/json"},
    )
    empty = dict.fromkeys(("session", "memory", "user", "node"))
    assert response.json() == {"data": {**empty, "nodes": [None]}}


async def test_nodes_are_read_together(client: Client, commands: Commands) -> None:
    for number in range(5):
        await client.data(ADD, input={"sessionId": f"s{number}", "messages": OCTAVIA})
    wanted = [str(global_id("Session", f"s{number}")) for number in range(5)]
    with commands.recorded() as seen:
        await client.data("query($ids: [ID!]!) { nodes(ids: $ids) { ... on Session { messageCount } } }", ids=wanted)
    assert [(name, body["projection"]) for name, body in seen] == [("find", {"_id": 1, "messageCount": 1})]
    error = await client.error(NODES, ids=["x"] * 1001)
    assert error["code"] == "BAD_USER_INPUT"
    assert (await client.data(NODES, ids=[]))["nodes"] == []


@pytest.mark.parametrize("key", ["", "a", "1:a", "PERSON:12:x", "ü:\n"])
@pytest.mark.parametrize("scope", ["s:", "s:1:a", "u:x"])
def test_the_id_of_an_entity_has_one_reading(scope: str, key: str) -> None:
    parsed: Any = parse_global_id(entity_id(scope, key))
    assert parsed[0] == "Entity"
    assert parse_entity_key(parsed[1]) == (scope, key)
