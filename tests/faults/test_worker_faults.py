"""Workers that are killed, paused and cut off: afterwards all is as if nothing had happened."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from graph.enrichment.entities import DEFAULT_MODEL, Extractor
from graph.enrichment.summariser import Summariser
from graph.enrichment.worker import Worker
from graph.mongod.embedded import EmbeddedMongo
from graph.settings import Settings
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database, open_database
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from tests.support.driver import DRIVER
from tests.support.fault_model import KILLS, RAISES, make_fault_model
from tests.support.mentions import recount, shown
from tests.support.server_process import watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLINGS = 50
FEW, MORE = 300, 600
"""Pending messages below which more are added, and their number: fast workers are to have work at each killing."""


def real_texts() -> Iterator[str]:
    package = pytest.importorskip("chitchat_dataset")
    chats = json.loads((Path(package.__file__).parent / "dataset.json").read_text(encoding="utf-8"))
    for chat in chats.values():
        yield from (message["text"] for message in itertools.chain.from_iterable(chat["messages"]))


async def backlog(database: Database, count: int, extra: dict[int, str] | None = None, *, first: int = 0) -> None:
    """Add real messages, from the `first` on, to sessions of 20, every third of which has one of two users."""
    texts = dict(enumerate(itertools.islice(real_texts(), first, first + count), first))
    assert len(texts) == count
    texts.update(extra or {})
    for number in range(first, first + count, 20):
        messages = [NewMessage("human", texts[n], len(texts[n]) // 4 + 1) for n in range(number, number + 20)]
        user_id = f"u{number % 2}" if number % 3 == 0 else None
        await add_memory(database, EVERYTHING, NewMemory(f"s{number}", messages, user_id=user_id))


class Nursery:
    """Worker processes at hand."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pids: set[int] = set()

    def start(self) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        self.pids.add(pid)
        return pid

    def send(self, pid: int, number: int) -> None:
        os.kill(pid, number)
        if number == signal.SIGKILL:
            self.pids.discard(pid)

    def alive(self) -> set[int]:
        self.pids = {pid for pid in self.pids if psutil.pid_exists(pid)}
        return self.pids


@contextmanager
def nursery(uri: str, settings: Settings, *, model: str = DEFAULT_MODEL, path: Path | None = None) -> Iterator[Nursery]:
    environment = {
        **os.environ,
        **watched(settings.data_dir / "workers.held"),
        "RECALLQL_MONGODB_URI": uri,
        "RECALLQL_DATABASE": settings.database,
        "RECALLQL_ENRICHMENT_LEASE": "1",
        "RECALLQL_ENRICHMENT_BACKOFF": "0.05",
        "RECALLQL_ENRICHMENT_POLL": "0.5",
        "RECALLQL_ENRICHMENT_ATTEMPTS": str(settings.enrichment_attempts),
        **({"FAULT_MODEL_PATH": str(path)} if path else {}),
    }
    command = [sys.executable, "-m", "tests.support.worker_nursery", model]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Nursery(process)
        finally:
            process.kill()


async def pending(database: Database) -> int:
    messages: int = await database.messages.count_documents({"enrichment.state": "PENDING"})
    sessions: int = await database.sessions.count_documents({"summarising": {"$exists": True}})
    return messages + sessions


async def until_nothing_is_pending(database: Database, workers: Nursery | None = None) -> None:
    while await pending(database):
        if workers is not None and not workers.alive():
            workers.start()
        await asyncio.sleep(0.1)


async def outcome(database: Database) -> Any:
    """All that enrichment has stored, without ids and times."""
    of_sessions, of_users = await shown(database)
    assert (of_sessions, of_users) == await recount(database)
    messages = await database.messages.find({}, sort=[("sessionId", 1), ("seq", 1)])
    assert {message["enrichment"]["state"] for message in messages} <= {"DONE", "FAILED"}
    summaries = await database.summaries.find({}, sort=[("sessionId", 1), ("lastSeq", 1)])
    return (
        [(message["sessionId"], message["seq"], message["entities"]) for message in messages],
        [[summary[name] for name in ("sessionId", "firstSeq", "lastSeq", "content")] for summary in summaries],
        {
            owner: {key: found[:2] for key, found in entities.items()}
            for owner, entities in (await shown(database))[0].items()
        },
    )


@asynccontextmanager
async def another_database(uri: str, name: str) -> AsyncIterator[Database]:
    database = await open_database(uri, name=name, driver_name=DRIVER)
    try:
        yield database
    finally:
        await database.client.drop_database(name)
        await database.close()


async def without_faults(uri: str, settings: Settings, count: int) -> Any:
    async with another_database(uri, f"{settings.database}_b") as database:
        await backlog(database, count)
        worker = Worker(database, Extractor(), settings, summariser=Summariser())
        await worker.run(asyncio.Event(), drain=True)
        return await outcome(database)


async def test_workers_killed_at_random_lose_nothing_and_do_nothing_twice(
    mongodb_uri: str, database: Database, settings: Settings
) -> None:
    count = 1_200
    chance = random.Random(1)
    many = settings.model_copy(update={"enrichment_attempts": 50})
    await backlog(database, count)
    killed = 0
    with nursery(mongodb_uri, many) as workers:
        while killed < KILLINGS:
            if await pending(database) < FEW:
                await backlog(database, MORE, first=count)
                count += MORE
            while len(workers.alive()) < 2:
                workers.start()
            await asyncio.sleep(chance.uniform(0.02, 0.6))
            if await pending(database):  # a worker without work has nothing to lose
                workers.send(chance.choice(sorted(workers.alive())), signal.SIGKILL)
                killed += 1
        await until_nothing_is_pending(database, workers)
    assert await outcome(database) == await without_faults(mongodb_uri, settings, count)


async def test_a_worker_paused_past_its_lease_stores_nothing_of_what_another_took_over(
    mongodb_uri: str, database: Database, settings: Settings
) -> None:
    count = 600
    await backlog(database, count)
    with nursery(mongodb_uri, settings) as workers:
        for _ in range(5):
            slow = workers.start()
            await asyncio.sleep(0.5)
            workers.send(slow, signal.SIGSTOP)
            other = workers.start()
            await asyncio.sleep(1.5)
            workers.send(slow, signal.SIGCONT)
            workers.send(other, signal.SIGSTOP)
            await asyncio.sleep(1.2)
            workers.send(other, signal.SIGCONT)
        await until_nothing_is_pending(database, workers)
        await asyncio.sleep(1)
    assert await outcome(database) == await without_faults(mongodb_uri, settings, count)


async def test_workers_go_on_when_the_database_is_back(tmp_path: Path, settings: Settings) -> None:
    count = 3_000  # more than workers read while MongoDB is stopped and started three times
    mongo = EmbeddedMongo(tmp_path / "mongo")
    mongo.start()
    uri = mongo.uri
    try:
        async with another_database(uri, settings.database) as database:
            await backlog(database, count)
            with nursery(uri, settings) as workers:
                pids = {workers.start(), workers.start()}
                for _ in range(3):
                    before = await pending(database)
                    while await pending(database) == before:  # noqa: ASYNC110 - until they are at it
                        await asyncio.sleep(0.05)
                    assert await pending(database)
                    await asyncio.to_thread(mongo.stop)
                    await asyncio.sleep(2)
                    await asyncio.to_thread(mongo.start)
                    assert mongo.uri == uri
                await until_nothing_is_pending(database)
                assert workers.alive() == pids
            assert await outcome(database) == await without_faults(uri, settings, count)
    finally:
        await asyncio.to_thread(mongo.stop)


async def test_texts_that_end_the_worker_or_raise_end_failed_and_their_neighbours_done(
    mongodb_uri: str, database: Database, settings: Settings, tmp_path: Path
) -> None:
    bad = {7: f"{KILLS} in Paris", 100: f"{RAISES} in Paris", 101: f"{KILLS} in Rome", 190: f"{RAISES} in Oslo"}
    few = settings.model_copy(update={"enrichment_attempts": 4})
    await backlog(database, 200, bad)
    model = await asyncio.to_thread(make_fault_model, tmp_path / "model")
    started = time.monotonic()
    with nursery(mongodb_uri, few, model=model, path=tmp_path / "model") as workers:
        await until_nothing_is_pending(database, workers)
    assert time.monotonic() - started < 300
    failed = await database.messages.find({"enrichment.state": "FAILED"})
    assert sorted(message["content"] for message in failed) == sorted(bad.values())
    for message in failed:
        reason = message["enrichment"]["reason"]
        assert ("told to raise" if RAISES in message["content"] else "worker ended") in reason
        assert message["enrichment"]["attempts"] == 4
    await outcome(database)
