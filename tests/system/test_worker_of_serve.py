"""The worker that `recallql serve` keeps running."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.support.server_process import ServerProcess, served, until

ADD = """
mutation Add($content: String!) {
  addMemory(input: {sessionId: "s", messages: [{role: "human", content: $content}]}) { memory { uuid } }
}
"""
PROGRESS = '{ session(sessionId: "s") { enrichment { pending done } } }'


def worker_of(server: ServerProcess) -> psutil.Process:
    found: psutil.Process = until(lambda: next((c for c in server.children() if "worker" in c.cmdline()), None))
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_killed_worker_is_started_again_and_the_log_says_so(tmp_path: Path) -> None:
    with served(tmp_path / "data") as server:
        first = worker_of(server)
        first.kill()
        until(lambda: not first.is_running())
        server.graphql(ADD, content="Ada Lovelace lives in Paris.")
        done = {"pending": 0, "done": 1}
        until(lambda: server.graphql(PROGRESS)["session"]["enrichment"] == done, 120)
        assert worker_of(server).pid != first.pid
        assert "an enrichment worker ended with status -9; starting another" in server.stderr()
