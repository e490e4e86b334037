"""The own mongod of `serve`: started again after its end, and a clear end of the server where that fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from graph.mongod.program import find_mongod
from tests.support.server_process import ServerProcess, served, until

ADD_LARGE = """mutation($content: String!) { addMemory(input: {
  sessionId: "s", messages: [{ role: "human", content: $content }] }) { memory { messages { uuid } } } }"""
READ = '{ memory(sessionId: "s") { messages(last: 500) { seq uuid } } }'
ADD = """mutation { addMemory(input: { sessionId: "s", messages: [{ role: "human", content: "Hello" }] }) {
  session { messageCount } } }"""
WITHIN = 90.0  # seconds, far above what a start takes


def pid_of(data_dir: Path) -> int:
    return int(json.loads((data_dir / "mongod.json").read_text())["pid"])


def kill_mongod(data_dir: Path) -> None:
    os.kill(pid_of(data_dir), signal.SIGKILL)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[int], None]]]:
    """A directory with a file system of its own, and a function that changes its size in MiB."""
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)

    def mount(*options: str) -> subprocess.CompletedProcess[str]:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(data_dir)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def resize(megabytes: int) -> None:
        assert mount("remount", f"size={megabytes}m").returncode == 0

    try:
        mounted = mount("size=800m", "mode=700")
    except FileNotFoundError:
        pytest.skip("this system has no mount")
    if mounted.returncode:
        pytest.skip(f"a file system can't be mounted here: {mounted.stderr.strip()}")
    try:
        yield data_dir, resize
    finally:
        subprocess.run(["umount", "--lazy", str(data_dir)], check=True)


def fill(server: ServerProcess, data_dir: Path, resize: Callable[[int], None]) -> list[str]:
    """Leave mongod no room and add until it ends; the uuids of the messages that were stored for certain."""
    mongod, stored = psutil.Process(pid_of(data_dir)), list[str]()
    resize(1 + shutil.disk_usage(data_dir).used // 2**20)
    until = time.monotonic() + WITHIN
    while mongod.is_running() and mongod.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        body = {"query": ADD_LARGE, "variables": {"content": os.urandom(400_000).hex()}}
        with suppress(httpx.TimeoutException):  # the write would wait until its deadline for a mongod that has ended
            answer = httpx.post(f"{server.url}/graphql", json=body, timeout=3).json()
            if "errors" in answer:
                assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE", answer
            else:
                stored += [message["uuid"] for message in answer["data"]["addMemory"]["memory"]["messages"]]
    return stored


def codes(server: ServerProcess, query: str) -> list[str]:
    """The codes of the errors of an answer."""
    answer = httpx.post(f"{server.url}/graphql", json={"query": query}, timeout=60).json()
    return [error["extensions"]["code"] for error in answer["errors"]]


def messages(server: ServerProcess) -> list[dict[str, Any]]:
    """All messages of the session."""
    found: list[dict[str, Any]] = server.graphql(READ)["memory"]["messages"]
    return found


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


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_mongod_that_is_killed_while_it_starts_is_started_again(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with served(data_dir, "--enrichment-processes", "0") as server:
        assert count(server) == 1
        for _ in range(3):
            before = pid_of(data_dir)
            kill_mongod(data_dir)
            until = time.monotonic() + WITHIN
            while pid_of(data_dir) == before:
                assert time.monotonic() < until
                time.sleep(0.01)
        kill_mongod(data_dir)
        assert count(server) == 2
    assert "Traceback" not in (tmp_path / "data.stderr").read_text()


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_mongod_on_a_full_disk_is_started_again_when_there_is_room(
    disk: tuple[Path, Callable[[int], None]],
) -> None:
    data_dir, resize = disk
    log = data_dir.with_suffix(".stderr")
    with served(data_dir) as server:
        assert count(server) == 1
        stored = fill(server, data_dir, resize)
        until(lambda: "is started again when there is space" in log.read_text(), WITHIN)
        time.sleep(20)  # longer than a mongod is tried that can't be started for another reason
        assert server.process.poll() is None
        assert codes(server, READ) == codes(server, ADD) == ["UNAVAILABLE"]
        assert httpx.get(f"{server.url}/ready", timeout=60).status_code == 503
        resize(800)
        assert count(server) > len(stored)
        there = {message["uuid"] for message in messages(server)}
        assert set(stored) <= there
        seqs = [message["seq"] for message in messages(server)]
        assert seqs == list(range(1, len(seqs) + 1))
    said = log.read_text()
    assert f"the disk that holds {data_dir / 'mongodb'} is full" in said
    assert said.count("is started again when there is space") == 1
    assert "mongod runs again" in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_server_on_a_full_disk_can_be_stopped(disk: tuple[Path, Callable[[int], None]]) -> None:
    data_dir, resize = disk
    log = data_dir.with_suffix(".stderr")
    with served(data_dir, "--enrichment-processes", "0") as server:
        assert count(server) == 1
        fill(server, data_dir, resize)
        until(lambda: "is started again when there is space" in log.read_text(), WITHIN)
        assert server.stop() == 0
