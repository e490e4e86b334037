"""The upgrade of a database that a release without a version of the schema has written: nothing is lost, all works."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from graph.app import create_app
from graph.enrichment.entities import Extractor
from graph.enrichment.summariser import Summariser
from graph.enrichment.worker import Worker
from graph.operations.diagnosis import Grade
from graph.recall.embedding import embedder_of
from graph.runtime.diagnosis import examine
from graph.settings import Settings
from graph.store.database import Database, open_database
from graph.store.versions import CURRENT, SCHEMA
from tests.support.archives import load
from tests.support.databases import new_name
from tests.support.driver import DRIVER
from tests.support.fill_release import CLEARED, NOTES, TRIP, WAITING, message_uuid, text_of
from tests.support.graphql_client import ADD, Client, serving
from tests.support.live_client import ADDED, socket_to
from tests.support.paths import SCHEMA_0
from tests.support.server_process import clean_environment

SESSION = """query($id: ID!) { session(sessionId: $id) {
  user { userId } metadata messageCount tokenCount enrichment { pending failed unembedded }
  messages(first: 100) { edges { node {
    uuid seq role content tokenCount metadata entities { name matches { text } } } } }
  summaries(first: 10) { edges { node { content firstSeq lastSeq } } }
  entities(first: 100) { edges { node { name mentionCount } } } } }"""
SEARCH = """query($mode: SearchMode!) { session(sessionId: "trip") { search(query: "Marie Curie", mode: $mode) {
  edges { node { content } } } } }"""
EDITED = 27
"""The message of the data that was edited before."""
DELETED = 26
COUNT = 28


@pytest.fixture
def old(settings: Settings, mongodb_uri: str) -> Iterator[Settings]:
    """The settings of a database with the data and the indexes of the earlier release."""
    name = new_name()
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        load(SCHEMA_0, client[name])
        yield settings.model_copy(update={"database": name, "mongodb_uri": SecretStr(mongodb_uri)})
        client.drop_database(name)


@pytest.fixture
async def upgraded(old: Settings, mongodb_uri: str) -> AsyncIterator[Client]:
    """A server of this version on the old data, after its migrations and the work of a worker."""
    async with serving(create_app(old, mongodb_uri)) as client:
        database = await open_database(mongodb_uri, name=old.database, driver_name=DRIVER)
        try:
            await _migrated(database)
            embedder = embedder_of(old)
            assert embedder is not None
            async with aclosing(embedder):
                worker = Worker(database, Extractor(), old, summariser=Summariser(), embedder=embedder)
                await worker.run(asyncio.Event(), drain=True)
        finally:
            await database.close()
        yield client


async def _migrated(database: Database) -> None:
    async with asyncio.timeout(30):
        while (found := await database.versions.find_one(SCHEMA)) is None or found["number"] < CURRENT:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # another task's work


async def read(client: Client, session_id: str) -> Any:
    return (await client.data(SESSION, id=session_id))["session"]


def nodes(connection: Any) -> list[Any]:
    return [edge["node"] for edge in connection["edges"]]


async def test_all_data_is_there_and_all_features_work(upgraded: Client, old: Settings, mongodb_uri: str) -> None:
    await all_is_there(upgraded)
    await all_is_found(upgraded)
    found = {finding.name: finding for finding in await asyncio.to_thread(examine, old)}
    assert [finding for finding in found.values() if finding.grade is not Grade.OK] == []
    assert found["Schema"].text == f"version {CURRENT}"
    await changes_work(upgraded)
    with MongoClient[dict[str, Any]](mongodb_uri) as mongo:
        before = mongo[old.database].versions.find_one()
        async with serving(create_app(old, mongodb_uri)):  # a second start
            assert mongo[old.database].versions.find_one() == before == {**SCHEMA, "number": CURRENT, "newest": CURRENT}


async def all_is_there(client: Client) -> None:
    trip = await read(client, TRIP)
    kept = [number for number in range(1, COUNT + 1) if number != DELETED]
    assert [message["seq"] for message in nodes(trip["messages"])] == kept
    for message in nodes(trip["messages"]):
        number = message["seq"]
        assert message["uuid"] == message_uuid(TRIP, number)
        assert message["content"] == ("Grace Hopper visits Lisbon instead." if number == EDITED else text_of(number))
        assert message["metadata"] == {"number": number}
        assert message["entities"]
    assert trip["messageCount"] == len(kept)
    assert trip["tokenCount"] == sum(message["tokenCount"] for message in nodes(trip["messages"]))
    assert trip["metadata"] == {"topic": "travel", "tags": ["a", "b"]}
    assert trip["enrichment"] == {"pending": 0, "failed": 0, "unembedded": 0}
    assert [summary["lastSeq"] for summary in nodes(trip["summaries"])] == [8, 22]
    names = {entity["name"]: entity["mentionCount"] for entity in nodes(trip["entities"])}
    assert {"Lisbon", "Marie Curie", "Kyoto"} <= names.keys()
    assert names["Marie Curie"] == sum(
        len(entity["matches"])
        for message in nodes(trip["messages"])
        for entity in message["entities"]
        if entity["name"] == "Marie Curie"
    )
    assert [message["seq"] for message in nodes((await read(client, CLEARED))["messages"])] == [6, 7]
    waiting = await read(client, WAITING)  # written, and enriched by this version's worker
    assert [bool(message["entities"]) for message in nodes(waiting["messages"])] == [True] * 3
    assert (await read(client, NOTES))["user"] is None
    data = await client.data(
        'query { session(sessionId: "erased") { uuid } user(userId: "ana") { email firstName metadata '
        "sessions(first: 9) { edges { node { sessionId } } } entities(first: 3) { edges { node { name } } } } }"
    )
    assert data["session"] is None
    assert data["user"]["email"] == "ana@example.com"
    assert data["user"]["metadata"] == {"plan": "basic"}
    assert {one["sessionId"] for one in nodes(data["user"]["sessions"])} == {TRIP, WAITING}
    assert nodes(data["user"]["entities"])


async def all_is_found(client: Client) -> None:
    for mode in ("HYBRID", "LEXICAL", "VECTOR"):
        found = (await client.data(SEARCH, mode=mode))["session"]["search"]["edges"]
        assert "Marie Curie" in found[0]["node"]["content"], mode
    context = await client.data('{ session(sessionId: "trip") { context(query: "Kyoto", maxTokens: 300) { text } } }')
    assert "Kyoto" in context["session"]["context"]["text"]


async def changes_work(client: Client) -> None:
    uuid = message_uuid(TRIP, 3)
    edit = "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { content revision } } }"
    edited = await client.data(edit, input={"uuid": uuid, "content": "Changed after the upgrade."})
    assert edited["updateMessage"]["message"]["content"] == "Changed after the upgrade."
    delete = "mutation($input: DeleteMessageInput!) { deleteMessage(input: $input) { __typename } }"
    await client.data(delete, input={"uuid": message_uuid(TRIP, 4)})
    fork = "mutation($input: ForkSessionInput!) { forkSession(input: $input) { session { messageCount } } }"
    forked = await client.data(fork, input={"sessionId": TRIP, "throughSeq": 10, "newSessionId": "forked"})
    assert forked["forkSession"]["session"]["messageCount"] == 9
    again = {"sessionId": TRIP, "idempotencyKey": "first", "messages": [{"role": "human", "content": "again"}]}
    assert (await client.data(ADD, input=again))["addMemory"]["replayed"]
    async with socket_to(str(client.http.base_url)) as socket:
        await socket.subscribe(ADDED, {"id": TRIP, "after": 24})
        assert await socket.seqs(3) == [25, 27, 28]
        await client.data(ADD, input={"sessionId": TRIP, "messages": [{"role": "human", "content": "new"}]})
        assert await socket.seqs(1) == [29]


async def test_every_command_refuses_the_data_of_a_newer_version_in_one_line(
    old: Settings, mongodb_uri: str, tmp_path: Path
) -> None:
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        client[old.database].versions.insert_one({**SCHEMA, "number": CURRENT + 1, "newest": CURRENT + 1})
        before = client[old.database].command("dbHash")["md5"]
        store = ["--mongodb-uri", mongodb_uri, "--database", old.database]
        commands = (["serve", "--port", "0"], ["worker"], ["export", str(tmp_path / "file")])
        refusal = f"the database {old.database} has schema version {CURRENT + 1}, and this RecallQL knows"
        for status, text in await asyncio.gather(*(run(*command, *store) for command in commands)):
            (line,) = text.splitlines()
            assert status == 2
            assert line.startswith(f"recallql: {refusal} versions up to {CURRENT}: install ")
        found = {finding.name: finding for finding in await asyncio.to_thread(examine, old)}
        assert found["Schema"].grade is Grade.BROKEN
        assert found["Schema"].text.startswith(refusal)
        assert "Enrichment" not in found
        assert client[old.database].command("dbHash")["md5"] == before


async def run(*arguments: str) -> tuple[int, str]:
    """The exit status and the output of a command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "graph",
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=clean_environment(),
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
