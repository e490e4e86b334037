"""Prints the time of a warm search over HTTP, and of the engine alone: `python -m benchmarks.recall_latency`.

One user has 600, 10,000 and 100,000 messages. `recallql serve` with one web process and no worker answers; the engine
alone runs in this process. Rounds alternate, so that what else the machine does falls on both alike; times are medians.
`after an add` is a search after the user's session got one more message. The memory of the web process is printed, too.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from os import getloadavg
from pathlib import Path
from typing import Any

import httpx
import psutil
from pymongo import MongoClient

from benchmarks.report import Report
from graph.mongod.embedded import EmbeddedMongo
from graph.recall.columns import columns_of
from graph.recall.embedding import Embedder, embedder_of
from graph.recall.query import read_query
from graph.recall.ranking import rank
from graph.settings import Settings
from graph.store.documents import Document, now
from tests.support.embedded_messages import DIMENSION, LongSession, entry_with
from tests.support.server_process import ServerProcess, served

DATABASE = "recall_latency"
WANTED = {600: (15, 4), 10_000: (25, 3), 100_000: (80, 2)}
"""The maximum milliseconds over HTTP and the maximum ratio to the engine alone, by the number of messages."""
MOST_MIB = 150
MOST_MIB_WITH_MODEL = 350
SEARCH = """
query($query: String!, $user: ID!) {
  search(query: $query, userId: $user, first: 10) { edges { node { content } } }
}
"""
ADD = """
mutation($session: ID!, $content: String!) {
  addMemory(input: {sessionId: $session, messages: [{role: "user", content: $content}]}) { memory { uuid } }
}
"""
QUERIES = [f"word{number} word{number * 7} word{number * 31}" for number in range(1, 40)]
ROUNDS = 5


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recall_latency", description=__doc__)
    parser.add_argument("--searches", type=int, default=60, help="searches of each size")
    parser.add_argument("--sizes", type=int, nargs="*", choices=WANTED, default=list(WANTED))
    given = parser.parse_args()
    report = Report()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mongo = stack.enter_context(EmbeddedMongo(directory / "mongo", cache_mb=1024))
        client: MongoClient[dict[str, Any]] = stack.enter_context(MongoClient(mongo.uri, tz_aware=True))
        flags = ("--mongodb-uri", mongo.uri, "--database", DATABASE, "--enrichment-processes", "0")
        server = stack.enter_context(served(directory / "serve", *flags))
        http = stack.enter_context(httpx.Client(base_url=server.url, timeout=120))
        report.target("MiB of the web process without a search", [_memory(server)], most=MOST_MIB)
        with asyncio.Runner() as runner:
            embedder = runner.run(_opened())
            for size in given.sizes:
                pairs = _fill(client, size, runner.run(embedder.name()))
                alone = Alone(pairs, embedder)
                _compare(report, http, size, partial(_run, runner, alone), given.searches)
                if size == min(WANTED):  # the messages of larger scopes take their own memory
                    report.target("MiB with the model", [_memory(server)], most=MOST_MIB_WITH_MODEL)
            runner.run(embedder.aclose())
            report.line(f"MiB in the end: {_memory(server):.0f}; load of the machine: {getloadavg()[0]:.1f}")
    report.verdict()


def _compare(report: Report, http: httpx.Client, size: int, alone: Callable[[str], None], searches: int) -> None:
    """Print the times of one size: over HTTP, alone, and over HTTP after an add."""
    report.head(f"{size:,} messages")
    milliseconds, ratio = WANTED[size]
    queries = cycle(QUERIES)
    over_http = partial(_search, http, f"u{size}")
    _median(over_http, queries, 3)
    _median(alone, queries, 3)
    times = [
        (_median(over_http, queries, searches // ROUNDS), _median(alone, queries, searches // ROUNDS))
        for _ in range(ROUNDS)
    ]
    report.target(f"{size:,} messages: ms over HTTP", [one for one, _ in times], most=milliseconds)
    report.line(f"  ms alone: {statistics.median(other for _, other in times):.1f}")
    report.target(f"{size:,} messages: ratio to the engine alone", [one / other for one, other in times], most=ratio)
    after = []
    for place in range(ROUNDS):
        _post(http, ADD, session=f"s{size}", content=f"one more message, {place}")
        after.append(_timed(over_http, next(queries)))
    report.line(f"  ms over HTTP after an add: {statistics.median(after):.1f}")


def _fill(client: MongoClient[dict[str, Any]], size: int, model: str) -> list[tuple[Document, Document]]:
    session = LongSession(size, f"u{size}", size, model)
    pairs = list(session.messages())
    database = client[DATABASE]
    database["messages"].insert_many([message for message, _ in pairs])
    database["recall"].insert_many([recall for _, recall in pairs])
    database["sessions"].insert_one(session.document)
    return pairs


async def _opened() -> Embedder:
    embedder = embedder_of(Settings.model_construct())
    if embedder is None:
        raise AssertionError
    await embedder.load()
    return embedder


def _post(http: httpx.Client, operation: str, **variables: Any) -> Any:
    answer = http.post("/graphql", json={"query": operation, "variables": variables}).json()
    if "errors" in answer:
        raise RuntimeError(str(answer))
    return answer["data"]


def _search(http: httpx.Client, user: str, query: str) -> None:
    if not _post(http, SEARCH, query=query, user=user)["search"]["edges"]:
        raise RuntimeError(query)


def _median(search: Callable[[str], None], queries: Iterator[str], searches: int) -> float:
    """The median in milliseconds."""
    return statistics.median(_timed(search, next(queries)) for _ in range(searches))


def _timed(search: Callable[[str], None], query: str) -> float:
    began = time.perf_counter()
    search(query)
    return (time.perf_counter() - began) * 1_000


class Alone:
    """The engine in this process: reads the query, embeds it, and ranks the messages."""

    def __init__(self, pairs: Sequence[tuple[Document, Document]], embedder: Embedder) -> None:
        self._columns = columns_of([entry_with(*pair) for pair in pairs], DIMENSION)
        self._embedder = embedder

    async def search(self, query: str) -> None:
        """Search, and throw the results away."""
        read = read_query(query, self._columns.speakers, self._columns.languages, now())
        rank(self._columns, read, await self._embedder.meaning(read.embedded))


def _run(runner: asyncio.Runner, alone: Alone, query: str) -> None:
    runner.run(alone.search(query))


def _memory(server: ServerProcess) -> float:
    """The resident memory of the web process, in MiB: of the largest process, as mongod runs elsewhere."""
    return max(one.memory_info().rss for one in (psutil.Process(server.process.pid), *server.children())) / 2**20


if __name__ == "__main__":
    main()
