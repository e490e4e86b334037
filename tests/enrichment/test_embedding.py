"""The worker embeds each message once, whatever ends it or its server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import numpy as np
import pytest

from graph.enrichment.entities import Extractor
from graph.enrichment.worker import Worker
from graph.recall.embedding import Embedder, embedder_of
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import RecallDocument, now
from tests.support.embedding_server import REFUSED, EmbeddingServer, packaged
from tests.support.graphql_client import Client
from tests.support.memory import add
from tests.support.server_process import watched

PROGRESS = '{ enrichment { unembedded } session(sessionId: "s") { enrichment { unembedded } } }'


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor()


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return settings.model_copy(update={"enrichment_backoff": 0.01, "enrichment_attempts": 3})


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Embedder]:
    embedder = embedder_of(settings)
    assert embedder is not None
    async with aclosing(embedder):
        yield embedder


def at(server: EmbeddingServer, settings: Settings, model: str = "a-model") -> Settings:
    return settings.model_copy(update={"embedding_base_url": server.base_url, "embedding_model": model})


async def drain(database: Database, extractor: Extractor, settings: Settings) -> Worker:
    async with opened(settings) as embedder:
        worker = Worker(database, extractor, settings, embedder=embedder)
        await worker.run(asyncio.Event(), drain=True)
    return worker


async def say(client: Client, *contents: str) -> None:
    await add(client, "s", [{"role": "human", "content": content} for content in contents])


async def unembedded(client: Client) -> tuple[int, int]:
    found = await client.data(PROGRESS)
    return found["enrichment"]["unembedded"], found["session"]["enrichment"]["unembedded"]


async def vectors(database: Database) -> list[RecallDocument]:
    return await database.recall.find({}, sort=[("seq", 1)])


async def test_vectors_are_those_of_the_contents(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    contents = ["My sister found a job.", "It rained all day.", "I go on about this. " * 300]
    await say(client, *contents)
    assert await unembedded(client) == (3, 3)
    worker = await drain(database, extractor, quick)
    assert worker.done.embedded == 3
    assert await unembedded(client) == (0, 0)
    for document, vector in zip(await vectors(database), packaged().embed_all(contents), strict=True):
        numbers = np.frombuffer(document["vector"], np.int8).astype(np.float32)
        assert float(document["scale"] * (numbers @ vector)) > 0.98


async def test_another_model_embeds_again_while_the_vectors_of_the_former_stay(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    await say(client, "one", "two")
    await drain(database, extractor, quick)
    former = {document["model"] for document in await vectors(database)}
    with EmbeddingServer() as server:
        await drain(database, extractor, at(server, quick))
        assert sorted(server.asked) == ["one", "two"]
    assert {document["model"] for document in await vectors(database)} != former
    assert await unembedded(client) == (2, 2)  # of the model that the server of this test is set to


async def test_a_server_that_is_away_is_waited_for(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    await say(client, "one", "two")
    with EmbeddingServer(503) as server:
        draining = asyncio.create_task(drain(database, extractor, at(server, quick)))
        while not server.was_asked.is_set():  # noqa: ASYNC110 - in a thread
            await asyncio.sleep(0.02)
        server.status = 200
        async with asyncio.timeout(60):
            await draining
        assert sorted(server.asked) == ["one", "two"]
    assert all("vector" in document for document in await vectors(database))


async def test_a_text_that_is_refused_spares_its_neighbours(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    await say(client, "one", REFUSED, "two")
    with EmbeddingServer() as server:
        await drain(database, extractor, at(server, quick))
    found = await vectors(database)
    assert ["vector" in document for document in found] == [True, False, True]
    assert "status 400" in found[1]["failure"]


async def test_a_worker_that_is_killed_while_it_embeds_loses_nothing(
    client: Client, mongodb_uri: str, database: Database, extractor: Extractor, quick: Settings
) -> None:
    await say(client, *map(str, range(20)))
    with EmbeddingServer(holds=True) as server:
        environment = {
            **os.environ,
            **watched(quick.data_dir / "worker.held"),
            "RECALLQL_MONGODB_URI": mongodb_uri,
            "RECALLQL_DATABASE": quick.database,
            "RECALLQL_EMBEDDING_BASE_URL": server.base_url,
            "RECALLQL_EMBEDDING_MODEL": "a-model",
        }
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "graph", "worker", "--quiet", env=environment, stdin=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(120):
            while not server.was_asked.is_set():  # noqa: ASYNC110 - in a thread
                await asyncio.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        await killed.wait()
        held = await database.recall.count_documents({"lease": {"$exists": True}})
        assert held
        await database.recall.update_many({"lease": {"$exists": True}}, {"$set": {"dueAt": now()}})
        server.answers.set()
        worker = await drain(database, extractor, at(server, quick))
    assert worker.done.embedded == 20
    assert ["vector" in document for document in await vectors(database)] == [True] * 20


async def test_a_stopped_worker_gives_back_what_it_has_not_embedded(
    client: Client, database: Database, extractor: Extractor, quick: Settings
) -> None:
    await say(client, "one")
    with EmbeddingServer(503) as server:
        stop = asyncio.Event()
        async with opened(at(server, quick)) as embedder:
            running = asyncio.create_task(Worker(database, extractor, quick, embedder=embedder).run(stop))
            while not server.was_asked.is_set():  # noqa: ASYNC110 - in a thread
                await asyncio.sleep(0.02)
            stop.set()
            await running
    (left,) = await vectors(database)
    assert "lease" not in left
    assert left["attempts"] == 0
    assert left["dueAt"] <= now()


async def test_of_two_workers_with_different_models_the_one_that_started_last_embeds(
    client: Client, database: Database, extractor: Extractor, quick: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    quick = quick.model_copy(update={"enrichment_poll": 0.05})
    stop = asyncio.Event()
    await say(client, "one")
    async with opened(quick) as embedder:
        worker = Worker(database, extractor, quick, embedder=embedder)
        running = asyncio.create_task(worker.run(stop))
        async with asyncio.timeout(60):
            while worker.done.embedded < 1:  # noqa: ASYNC110 - by the worker's own report
                await asyncio.sleep(0.02)
            with EmbeddingServer() as server:
                later = await drain(database, extractor, at(server, quick))
                assert later.done.embedded == 1
                while "embeds no more" not in caplog.text:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.02)
                await say(client, "two")
                while await unembedded_by_name(database, "a-model") != [True, True]:
                    later = await drain(database, extractor, at(server, quick))
        stop.set()
        await running
    assert worker.done.embedded == 1
    assert caplog.text.count("embeds no more") == 1


async def unembedded_by_name(database: Database, name: str) -> list[bool]:
    return [document.get("model", "").startswith(name) for document in await vectors(database)]
