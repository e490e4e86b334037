"""The copies of a fork have the vectors and terms of their originals, where the text is the same."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from graph.enrichment.entities import Extractor
from graph.enrichment.worker import Worker
from graph.recall.embedding import embedder_of
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import MessageDocument, RecallDocument
from graph.store.forking import forks, recall_copies
from graph.store.jobs import forking
from tests.support.graphql_client import Client
from tests.support.memory import add

FORK = "mutation($i: ForkSessionInput!) { forkSession(input: $i) { session { sessionId } } }"
SEARCH = """query($id: ID!) { search(query: "a place for ships", sessionId: $id, mode: VECTOR) {
  edges { node { seq } } } }"""
EDIT = "mutation($i: UpdateMessageInput!) { updateMessage(input: $i) { message { uuid } } }"
DELETE = "mutation($i: DeleteMessageInput!) { deleteMessage(input: $i) { deletedId } }"
TEXTS = ("What is for dinner?", "The harbour at Peniche is deep.", "I like old clocks.")
OWN = {"_id", "memoryId", "sessionId", "dueAt", "at"}
run_jobs = forking.run_pending


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor()


@pytest.fixture
async def drain(database: Database, extractor: Extractor, settings: Settings) -> Any:
    async def run() -> int:
        embedder = embedder_of(settings)
        assert embedder is not None
        async with aclosing(embedder):
            worker = Worker(database, extractor, settings, embedder=embedder)
            await worker.run(asyncio.Event(), drain=True)
        return worker.done.embedded

    return run


@pytest.fixture(params=["at once", "by a job"])
def by_a_job(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param == "by a job":
        _leave_to_jobs(monkeypatch)
    return bool(request.param == "by a job")


def _leave_to_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_database: Database) -> int:
        return 0

    monkeypatch.setattr(forking, "run_pending", nothing)  # the server's own look
    monkeypatch.setattr(forking, "begin", lambda _database: None)
    monkeypatch.setattr(forks, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(forking, "AT_ONCE", 2)


async def fork(client: Client, database: Database) -> None:
    sent = {"sessionId": "s", "throughSeq": 3, "newSessionId": "t"}
    if (await client.data(FORK, i=sent))["forkSession"]["session"] is None:
        assert await run_jobs(database) == 1


async def documents(database: Database, session_id: str) -> list[RecallDocument]:
    return await database.recall.find({"sessionId": session_id}, sort=[("seq", 1)])


async def test_no_model_reads_a_copy(client: Client, database: Database, drain: Any, by_a_job: bool) -> None:
    del by_a_job
    await add(client, "s", [{"role": "user", "content": text} for text in TEXTS], userId="ada")
    assert await drain() == 3
    await fork(client, database)
    originals, copies = await documents(database, "s"), await documents(database, "t")
    messages = await database.messages.find({"sessionId": "t"}, sort=[("seq", 1)])
    assert [(one["_id"], one["memoryId"], one["seq"]) for one in copies] == [
        (one["_id"], one["memoryId"], one["seq"]) for one in messages
    ]
    for old, copy in zip(originals, copies, strict=True):
        assert {"vector", "terms", "language", "at"} <= copy.keys()
        assert {name: copy[name] for name in copy.keys() - OWN} == {name: old[name] for name in old.keys() - OWN}  # type: ignore[literal-required]
    found = (await client.data(SEARCH, id="t"))["search"]["edges"]
    assert found[0]["node"]["seq"] == 2
    assert await drain() == 0


async def test_a_copy_without_a_vector_waits_for_it(
    client: Client, database: Database, drain: Any, by_a_job: bool
) -> None:
    del by_a_job
    messages = (await add(client, "s", [{"role": "user", "content": text} for text in TEXTS]))["memory"]["messages"]
    await drain()
    await client.data(EDIT, i={"uuid": messages[1]["uuid"], "content": "The sea is rough."})
    await fork(client, database)
    assert [one["seq"] for one in await documents(database, "t")] == [1, 3]
    assert await drain() == 2  # the edited message, and its copy


@pytest.mark.parametrize("change", ["edit", "delete"])
async def test_a_message_that_changes_while_it_is_copied_gives_no_vector(
    client: Client, database: Database, drain: Any, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    _leave_to_jobs(monkeypatch)
    messages = (await add(client, "s", [{"role": "user", "content": text} for text in TEXTS]))["memory"]["messages"]
    await drain()
    uuid = messages[1]["uuid"]

    async def change_first(database: Database, found: list[MessageDocument]) -> dict[str, RecallDocument]:
        if found[0]["seq"] == 1:
            if change == "delete":
                await client.data(DELETE, i={"uuid": uuid})
            else:
                await client.data(EDIT, i={"uuid": uuid, "content": "The sea is rough."})
            await drain()  # so that the message has a vector again, of its new text
        return await recall_copies.recall_of(database, found)

    monkeypatch.setattr("graph.store.jobs.forking.recall_of", change_first)
    await fork(client, database)
    copies = await database.messages.find({"sessionId": "t"}, sort=[("seq", 1)])
    assert [one["content"] for one in copies] == list(TEXTS)  # as they were when their portion was read
    assert ["vector" in one for one in await documents(database, "t")] == [True, False, True]
    assert await drain() == 1
