"""A server that is killed while it makes a large fork: another one makes the fork, once and whole."""

from __future__ import annotations

import signal
from pathlib import Path

import anyio
import pytest

from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from tests.support.server_process import served, until

pytestmark = pytest.mark.slow

MESSAGES = 6_000
ADD = "mutation($i: AddMemoryInput!) { addMemory(input: $i) { replayed } }"
FORK = """mutation { forkSession(input: { sessionId: "s", throughSeq: 6000, newSessionId: "t" }) {
  session { uuid } fork { state } replayed } }"""
STATE = """{ fork(newSessionId: "t") { state progress } session(sessionId: "t") { messageCount } }"""


@pytest.mark.timeout(300)
async def test_a_fork_survives_its_killed_server(
    mongodb_uri: str, database: Database, settings: Settings, tmp_path: Path
) -> None:
    environment = {"RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database}
    data = [tmp_path / name for name in ("first", "second")]
    for directory in data:
        directory.mkdir()

    def fork_and_die() -> None:
        with served(data[0], "--enrichment-processes", "0", **environment) as server:
            for first in range(0, MESSAGES, 1_000):
                said = [{"role": "user", "content": str(number)} for number in range(first, first + 1_000)]
                server.graphql(ADD, i={"sessionId": "s", "messages": said})
            answer = server.graphql(FORK)["forkSession"]
            assert answer == {"session": None, "fork": {"state": "MAKING"}, "replayed": False}
            until(lambda: 0 < server.graphql(STATE)["fork"]["progress"] < 1)
            server.stop(signal.SIGKILL)

    def found_whole() -> None:
        with served(data[1], "--enrichment-processes", "0", **environment) as server:
            before = server.graphql(STATE)
            assert before["fork"]["state"] == "MAKING" or before["session"] == {"messageCount": MESSAGES}
            assert server.graphql(FORK)["forkSession"]["replayed"]
            until(lambda: server.graphql(STATE)["fork"]["state"] == "DONE")
            assert server.graphql(STATE)["session"] == {"messageCount": MESSAGES}
            until(lambda: server.graphql(STATE)["fork"] == {"state": "DONE", "progress": 1})

    await anyio.to_thread.run_sync(fork_and_die)
    job = await database.forks.find_one({"_id": "t"})
    assert job is not None
    assert 0 < job["copied"] < MESSAGES
    assert await database.sessions.find_one({"_id": "t"}) is None
    await database.forks.update_one({"_id": "t"}, {"$set": {"dueAt": now()}})  # as after the lease of the dead server
    await anyio.to_thread.run_sync(found_whole)
    found = await database.messages.find({"sessionId": "t"}, {"seq": 1, "content": 1}, sort=[("seq", 1)])
    assert [(one["seq"], one["content"]) for one in found] == [(seq, str(seq - 1)) for seq in range(1, MESSAGES + 1)]
    assert await database.memories.count_documents({"sessionId": "t"}) == MESSAGES // 1_000
    assert await database.erasures.find_one({}) is None
