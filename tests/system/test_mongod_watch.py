"""The own mongod of `serve`: started again after its end, and a clear end of the server where that fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import httpx
import pytest

from graph.mongod.program import find_mongod
from tests.support.server_process import ServerProcess, served

ADD = """mutation { addMemory(input: { sessionId: "s", messages: [{ role: "human", content: "Hello" }] }) {
  session { messageCount } } }"""
WITHIN = 90.0  # seconds, far above what a start takes


def kill_mongod(data_dir: Path) -> None:
    os.kill(json.loads((data_dir / "mongod.json").read_text())["pid"], signal.SIGKILL)


def count(server: ServerProcess) -> int:
    """Add a message; the number of messages afterwards."""
    until = time.monotonic() + WITHIN
    while True:
        answer = httpx.post(f"{server.url}/graphql", json={"query": ADD}, timeout=60).json()
        if "errors" not in answer:
            return int(answer["data"]["addMemory"]["session"]["messageCount"])
        assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE", answer
        assert time.monotonic() < until, answer
        time.sleep(0.2)


@pytest.mark.timeout(240)
def test_a_killed_mongod_is_started_again(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with served(data_dir, "--enrichment-processes", "0") as server:
        assert count(server) == 1
        for expected in (2, 3):
            kill_mongod(data_dir)
            assert count(server) == expected
        assert httpx.get(f"{server.url}/health", timeout=60).status_code == 200
    said = (tmp_path / "data.stderr").read_text()
    assert "mongod was ended by SIGKILL while it ran" in said
    assert "Traceback" not in said


@pytest.mark.timeout(240)
def test_a_mongod_that_can_not_be_started_again_ends_the_server(tmp_path: Path) -> None:
    data_dir, mongod = tmp_path / "data", tmp_path / "mongod"
    shutil.copy(find_mongod(None), mongod)
    mongod.chmod(0o755)
    with served(data_dir, "--enrichment-processes", "0", "--mongod-path", str(mongod)) as server:
        assert count(server) == 1
        mongod.unlink()
        kill_mongod(data_dir)
        assert server.process.wait(WITHIN) == 2
    last = (tmp_path / "data.stderr").read_text().strip().splitlines()[-1]
    assert last.startswith("recallql: mongod can't be started again: ")
    assert str(mongod) in last
