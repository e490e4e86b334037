"""Entities of the arguments and results of tools, where workers are set to read them, and otherwise not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from graph.enrichment.documents import entity_documents
from graph.enrichment.entities import EntityMatch, ExtractedEntity, Extractor
from graph.enrichment.worker import Worker
from graph.settings import Settings
from graph.store.database import Database
from graph.store.entities.names import entity_key
from graph.store.jobs import enrichment, tool_texts
from graph.store.jobs.batches import Limits
from tests.support.access import changed
from tests.support.contents import exported, imported
from tests.support.graphql_client import Client
from tests.support.memory import add
from tests.support.mentions import recount, shown

READ = """query($first: Int) { session(sessionId: "s") { messages(first: 10) { edges { node {
  uuid enrichment { state } entities { name label mentionCount matches(first: $first) { start end text } } } } }
  entities(first: 50) { edges { node { name mentionCount matches(first: $first) { start text message { seq } }
    messages { edges { node { seq } } } sessions { edges { node { sessionId } } } } } }
  memories { edges { node { entities { name mentionCount matches(first: $first) { text }
    messages { edges { node { seq } } } sessions { edges { node { sessionId } } } } } } } } }"""
BY_ENTITY = """query($name: String!) { session(sessionId: "s") {
  messages(filter: { hasEntity: $name }) { edges { node { seq } } } } }"""
EDIT = """mutation($i: UpdateMessageInput!) { updateMessage(input: $i) {
  message { entities { name } enrichment { state } } } }"""
DELETE = "mutation($uuid: UUID!) { deleteMessage(input: { uuid: $uuid }) { deletedId } }"
SAID = "Barack Obama asked."
CALL = {
    "type": "tool-call",
    "toolCallId": "c",
    "toolName": "f",
    "input": {"question": "Where does Angela Merkel live?"},
}
RESULT = {
    "type": "tool-result",
    "toolCallId": "c",
    "output": {"type": "text", "value": "Angela Merkel met Barack Obama in Berlin."},
}
MESSAGES: list[dict[str, Any]] = [
    {"role": "assistant", "content": "", "parts": [CALL]},
    {"role": "tool", "content": SAID, "parts": [{"type": "text", "text": SAID}, RESULT]},
    {"role": "user", "content": "Thank Angela Merkel."},
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return changed(settings, entity_tools=True)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor()


@pytest.fixture
async def work(database: Database, extractor: Extractor, settings: Settings) -> Any:
    database.entity_tools = True

    async def drain(settings: Settings = settings) -> None:
        await Worker(database, extractor, settings).run(asyncio.Event(), drain=True)

    return drain


def nodes(connection: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in connection["edges"]]


async def read(client: Client, first: int = 5) -> dict[str, Any]:
    session: dict[str, Any] = (await client.data(READ, first=first))["session"]
    session["messages"], session["entities"] = nodes(session["messages"]), nodes(session["entities"])
    session["memories"] = nodes(session["memories"])
    return session


def counts(entities: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """The mentions and the matches of each entity."""
    return {one["name"]: (one["mentionCount"], len(one["matches"])) for one in entities}


async def test_mentions_in_tools_count_and_have_no_match(client: Client, database: Database, work: Any) -> None:
    await add(client, "s", MESSAGES, userId="ada")
    await work()
    session = await read(client)
    call, result, thanks = session["messages"]
    assert counts(call["entities"]) == {"Angela Merkel": (1, 0)}
    assert counts(result["entities"]) == {"Barack Obama": (2, 1), "Angela Merkel": (1, 0), "Berlin": (1, 0)}
    assert result["entities"][0]["matches"] == [{"start": 0, "end": 12, "text": "Barack Obama"}]
    assert counts(thanks["entities"]) == {"Angela Merkel": (1, 1)}
    expected = {"Angela Merkel": (3, 1), "Barack Obama": (2, 1), "Berlin": (1, 0)}
    assert counts(session["entities"]) == expected
    assert counts(session["memories"][0]["entities"]) == expected
    for entities in (session["entities"], session["memories"][0]["entities"]):
        merkel, _, berlin = entities
        assert [node["seq"] for node in nodes(merkel["messages"])] == [1, 2, 3]
        assert [node["seq"] for node in nodes(berlin["messages"])] == [2]
        assert nodes(berlin["sessions"]) == [{"sessionId": "s"}]
    (match,) = (await read(client, first=1))["entities"][0]["matches"]
    assert match == {"start": 6, "text": "Angela Merkel", "message": {"seq": 3}}
    found = (await client.data(BY_ENTITY, name="berlin"))["session"]["messages"]
    assert nodes(found) == [{"seq": 2}]
    assert await shown(database) == await recount(database)


async def test_without_the_setting_workers_read_contents_alone(client: Client, settings: Settings, work: Any) -> None:
    await add(client, "s", MESSAGES)
    await work(changed(settings, entity_tools=False))
    assert counts((await read(client))["entities"]) == {"Angela Merkel": (1, 1), "Barack Obama": (1, 1)}


async def test_zep_clients_get_the_entities_of_contents_alone(client: Client, work: Any) -> None:
    await add(client, "s", MESSAGES)
    await work()
    answer = (await client.http.get("/api/v1/sessions/s/messages")).json()["messages"]
    names = [[one["Name"] for one in m.get("metadata", {}).get("system", {}).get("entities", [])] for m in answer]
    assert names == [[], ["Barack Obama"], ["Angela Merkel"]]
    assert answer[1]["metadata"]["system"]["entities"][0]["Matches"] == [
        {"Start": 0, "End": 12, "Text": "Barack Obama"}
    ]


async def test_an_edit_of_tools_takes_their_entities_away_at_once(
    client: Client, database: Database, work: Any
) -> None:
    _, result, _ = (await add(client, "s", MESSAGES))["memory"]["messages"]
    await work()
    text = {"type": "text", "text": SAID}
    other = {**RESULT, "output": {"type": "text", "value": "Nobody met Barack Obama in Paris."}}
    edited = (await client.data(EDIT, i={"uuid": result["uuid"], "parts": [text, other]}))["updateMessage"]["message"]
    assert edited == {"entities": [{"name": "Barack Obama"}], "enrichment": {"state": "PENDING"}}
    assert counts((await read(client))["entities"]) == {"Angela Merkel": (2, 1), "Barack Obama": (1, 1)}
    assert await shown(database) == await recount(database)
    await work()
    expected = {"Angela Merkel": (2, 1), "Barack Obama": (2, 1), "Paris": (1, 0)}
    assert counts((await read(client))["entities"]) == expected
    same = {"uuid": result["uuid"], "parts": [text, other, {"type": "data-x", "data": 1}]}
    edited = (await client.data(EDIT, i=same))["updateMessage"]["message"]
    assert edited["enrichment"] == {"state": "DONE"}
    assert counts((await read(client))["entities"]) == expected
    await client.data(DELETE, uuid=result["uuid"])
    assert counts((await read(client))["entities"]) == {"Angela Merkel": (2, 1)}
    assert await shown(database) == await recount(database)


async def test_an_edit_of_tools_takes_their_entities_away_where_they_are_not_read_any_more(
    client: Client, database: Database, work: Any, app: Any
) -> None:
    _, result, _ = (await add(client, "s", MESSAGES))["memory"]["messages"]
    await work()
    app.state.backend.database.entity_tools = False
    edited = await client.data(EDIT, i={"uuid": result["uuid"], "parts": [{"type": "text", "text": SAID}]})
    message = edited["updateMessage"]["message"]
    assert message == {"entities": [{"name": "Barack Obama"}], "enrichment": {"state": "DONE"}}
    assert counts((await read(client))["entities"]) == {"Angela Merkel": (2, 1), "Barack Obama": (1, 1)}
    assert await shown(database) == await recount(database)


async def test_an_edit_of_a_message_that_is_being_read_is_read_again(
    client: Client, database: Database, work: Any
) -> None:
    first, *_ = (await add(client, "s", MESSAGES[:1]))["memory"]["messages"]
    limits = Limits(messages=10, tokens=16_384, attempts=5)
    held = await enrichment.claim(database, limits, lease_seconds=60, text_of_tools=str)
    assert list(held.tool_texts) == [first["uuid"]]
    other = {**CALL, "input": {"question": "Where does Barack Obama live?"}}
    await client.data(EDIT, i={"uuid": first["uuid"], "parts": [other]})
    late = enrichment.Outcome(first["uuid"], 1, [])
    assert await enrichment.complete(database, held.lease, [late]) == 0
    await work()
    assert counts((await read(client))["entities"]) == {"Barack Obama": (1, 0)}


async def test_long_messages_are_read_with_their_tools(client: Client, work: Any) -> None:
    long = "The weather is fine today, and nobody says a word about it. " * 1_500
    output = {**RESULT, "output": {"type": "text", "value": "Angela Merkel met nobody."}}
    parts = [{"type": "text", "text": long}, output]
    await add(client, "s", [{"role": "tool", "content": long, "parts": parts}])
    await work()
    assert counts((await read(client))["entities"])["Angela Merkel"] == (1, 0)


async def test_exports_and_imports_keep_the_mentions(
    client: Client, database: Database, target: Database, work: Any
) -> None:
    await add(client, "s", MESSAGES, userId="ada")
    await work()
    await imported(target, await exported(database))
    assert await shown(target) == await shown(database) == await recount(target)


async def test_a_claim_reads_parts_up_to_a_size(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_texts, "_MOST_CHARACTERS", 10)
    await add(client, "s", [{"role": "tool", "content": "", "parts": [RESULT]} for _ in range(5)])
    limits = Limits(messages=10, tokens=16_384, attempts=5)
    claimed: list[str] = []
    for count in (2, 2, 1, 0):
        held = await enrichment.claim(database, limits, lease_seconds=60, text_of_tools=lambda _parts: "6 char")
        assert len(held.messages) == len(held.tool_texts) == count
        assert not held.suspect
        claimed += held.uuids
    assert len(set(claimed)) == 5


def _entity(name: str, times: int) -> ExtractedEntity:
    return ExtractedEntity(name, "PERSON", tuple(EntityMatch(0, len(name), name) for _ in range(times)))


def test_of_too_many_entities_the_most_mentioned_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graph.enrichment.documents.MOST_ENTITIES", 2)
    found = entity_documents([_entity("A", 1), _entity("B", 2)], "B", [_entity("C", 2), _entity("A", 5)])
    assert [(one["key"], len(one["matches"]), one.get("inTools", 0)) for one in found] == [
        (entity_key("PERSON", "A"), 1, 5),
        (entity_key("PERSON", "B"), 2, 0),
    ]
