"""Prints the time of a warm search over HTTP, and of the engine alone: `python -m benchmarks.recall_latency`.

One user has 600, 10,000 and 100,000 messages; each time is a median. The memory of the web process is printed, too.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, aclosing
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import psutil
from pymongo import MongoClient

from benchmarks.report import Report
from benchmarks.running import Bench
from graph.mongod.embedded import EmbeddedMongo
from graph.recall.columns import columns_of
from graph.recall.embedding import Embedder, embedder_of
from graph.recall.entries import Entry, Words, entry_of
from graph.recall.query import read_query
from graph.recall.ranking import rank
from graph.settings import Settings
from graph.store.documents import Document, now
from tests.support.embedded_messages import DIMENSION, LongSession

DATABASE = "recall_latency"
WANTED = {600: 4.0, 10_000: 3.0, 100_000: 2.0}
"""The maximum ratio of a search over HTTP to the engine alone, by the number of messages."""
SEARCH = """
query($query: String!, $user: ID!) {
  search(query: $query, userId: $user, first: 10) { edges { node { content } } }
}
"""
QUERIES = [f"word{number} word{number * 7} word{number * 31}" for number in range(1, 40)]


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recall_latency", description=__doc__)
    parser.add_argument("--searches", type=int, default=60, help="searches of each size")
    searches: int = parser.parse_args().searches
    report = Report()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mongo = stack.enter_context(EmbeddedMongo(directory, cache_mb=1024))
        client: MongoClient[dict[str, Any]] = stack.enter_context(MongoClient(mongo.uri, tz_aware=True))
        bench = Bench(mongo.uri, client, report, stack, messages=0, rounds=1, seconds=1, logs=directory)
        base = bench.server("recallql", DATABASE)
        report.line(f"the web process without a search: {_memory():.0f} MiB")
        http = stack.enter_context(httpx.Client(timeout=120))
        for number, (count, ratio) in enumerate(WANTED.items()):
            pairs = _fill(client, number, count)
            over_http = _median(partial(_search, http, base, f"u{number}"), searches)
            alone = asyncio.run(_alone(pairs, searches))
            report.line(
                f"{count:,} messages: {over_http:.1f} ms over HTTP, {alone:.1f} ms alone, ratio {over_http / alone:.1f}"
                f" (wanted: at most {ratio:.0f}); the web process: {_memory():.0f} MiB"
            )


def _fill(client: MongoClient[dict[str, Any]], number: int, count: int) -> list[tuple[Document, Document]]:
    model = asyncio.run(_model_name())
    session = LongSession(number, f"u{number}", count, model)
    pairs = list(session.messages())
    database = client[DATABASE]
    database["messages"].insert_many([message for message, _ in pairs])
    database["recall"].insert_many([recall for _, recall in pairs])
    database["sessions"].insert_one(session.document)
    return pairs


async def _model_name() -> str:
    async with aclosing(_embedder()) as embedder:
        return await embedder.name()


def _embedder() -> Embedder:
    embedder = embedder_of(Settings.model_construct())
    if embedder is None:
        raise AssertionError
    return embedder


def _search(http: httpx.Client, base: str, user: str, query: str) -> None:
    answer = http.post(f"{base}/graphql", json={"query": SEARCH, "variables": {"query": query, "user": user}}).json()
    if not answer.get("data") or not answer["data"]["search"]["edges"]:
        raise RuntimeError(str(answer))


def _median(search: Callable[[str], None], searches: int) -> float:
    """The median in milliseconds, after three searches that are not counted."""
    return statistics.median([_timed(search, query) for query, _ in zip(cycle(QUERIES), range(searches + 3))][3:])


def _timed(search: Callable[[str], None], query: str) -> float:
    began = time.perf_counter()
    search(query)
    return (time.perf_counter() - began) * 1_000


async def _alone(pairs: Sequence[tuple[Document, Document]], searches: int) -> float:
    columns = columns_of([_entry(message, recall) for message, recall in pairs], DIMENSION)
    async with aclosing(_embedder()) as embedder:
        times = []
        for query, _ in zip(cycle(QUERIES), range(searches + 3)):
            began = time.perf_counter()
            read = read_query(query, columns.speakers, columns.languages, now())
            rank(columns, read, await embedder.meaning(read.embedded))
            times.append((time.perf_counter() - began) * 1_000)
        return statistics.median(times[3:])


def _entry(message: Document, recall: Document) -> Entry:
    return entry_of(
        message["_id"],
        message["sessionId"],
        message["seq"],
        role=message["role"],
        words=Words(recall["language"], recall["terms"], recall["question"]),
        at=message["createdAt"],
        embedded=(recall["vector"], recall["scale"]),
    )


def _memory() -> float:
    """The resident memory of the server, in MiB."""
    servers = [one for one in psutil.Process().children() if "benchmarks.servers" in one.cmdline()]
    return sum(one.memory_info().rss for one in servers) / 2**20


if __name__ == "__main__":
    main()
