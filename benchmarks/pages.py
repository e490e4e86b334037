"""Prints the cost of pages of connections, in processor time: `python -m benchmarks.pages`.

Each page is executed with the bound on the bytes of an answer and without it, and each read through the facade over the
driver and with the driver alone, in alternating rounds in one process; a ratio is of two medians.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from benchmarks.report import Report
from graph.access.caller import ANYONE
from graph.enrichment.tokens import load_counter
from graph.mongod.embedded import EmbeddedMongo
from graph.operations.backend import Backend
from graph.operations.opening import opened
from graph.request.answer import encode_json
from graph.request.guards import Guards
from graph.request.pipeline import OperationRequest, Pipeline
from graph.settings import load_settings
from graph.store.database import Database

ADD = "mutation($input: AddMemoryInput!) { addMemory(input: $input) { replayed } }"
PAGE = """
query($first: Int!) {
  session(sessionId: "s") {
    messages(first: $first) { edges { node { seq role content createdAt metadata } } pageInfo { hasNextPage } }
  }
}
"""
SIZES = (20, 100, 1_000)
ROUNDS = 12
ITEMS = 4_000
"""Items of one round."""


def main() -> None:
    """Measure each size of page."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedMongo(Path(directory), cache_mb=256) as mongo:
        asyncio.run(_measure(mongo.uri, Report()))


async def _measure(uri: str, report: Report) -> None:
    bounded, free = load_settings(), load_settings(max_answer_bytes=0)
    async with opened(bounded, uri) as database:
        counter = load_counter(bounded.token_encoding)
        pipelines = [
            Pipeline(Backend(settings, database, counter), Guards(settings, database)) for settings in (bounded, free)
        ]
        for batch in range(2):
            texts = [f"message {number} of {batch}: the harbour opens at nine" for number in range(1_000)]
            sent = {"sessionId": "s", "messages": [{"role": "user", "content": text} for text in texts]}
            await _execute(pipelines[0], ADD, {"input": sent})
        for size in SIZES:
            pages = {name: _page(pipeline, size) for name, pipeline in zip(("bounded", "free"), pipelines, strict=True)}
            reads = {"facade": _facade(database, size), "driver": _driver(database, size)}
            for name, contenders in (("bound on bytes", pages), ("facade", reads)):
                with_it, without = await _medians(contenders, ITEMS // size)
                report.line(f"{name}, {size:,} items: {with_it * 1e3:.2f} ms, ratio {with_it / without:.2f}")


def _page(pipeline: Pipeline, size: int) -> Callable[[], Awaitable[None]]:
    return lambda: _execute(pipeline, PAGE, {"first": size})


async def _execute(pipeline: Pipeline, document: str, variables: dict[str, object]) -> None:
    answer = await pipeline.execute(OperationRequest(document, variables), pipeline.context(ANYONE))
    assert not answer.errors, answer.errors
    encode_json(answer.formatted())


def _facade(database: Database, size: int) -> Callable[[], Awaitable[object]]:
    return lambda: database.messages.find({"sessionId": "s"}, {"content": 1}, limit=size, batch_size=size + 1)


def _driver(database: Database, size: int) -> Callable[[], Awaitable[object]]:
    raw = database.messages._raw
    return lambda: raw.find({"sessionId": "s"}, {"content": 1}, limit=size, batch_size=size + 1).to_list(None)


async def _medians(contenders: Mapping[str, Callable[[], Awaitable[object]]], repeats: int) -> list[float]:
    """The median seconds of each contender; the first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(ROUNDS + 1):
        for name in sorted(contenders, reverse=round_ % 2 == 0):
            start = time.process_time()
            for _ in range(repeats):
                await contenders[name]()
            times[name].append((time.process_time() - start) / repeats)
    return [statistics.median(times[name][1:]) for name in contenders]


if __name__ == "__main__":
    main()
