"""The web processes of `recallql serve`: how many, and what they hold."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.support.graphql_client import ADD, OCTAVIA
from tests.support.server_process import ServerProcess, served, until

COUNT = '{ session(sessionId: "s") { messageCount } }'


def web_processes(server: ServerProcess) -> list[psutil.Process]:
    return [child for child in server.children() if "web" in command(child)]


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has just ended
        return []


def test_web_processes_share_a_port_and_one_mongod(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--web-processes", "3", "--enrichment-processes", "0") as server:
        beside = until(lambda: (found := web_processes(server)) and len(found) == 2 and found)
        assert sum("mongod" in child.name() for child in server.children()) == 1
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda _: server.graphql(ADD, input={"sessionId": "s", "messages": OCTAVIA}), range(24)))
        assert server.graphql(COUNT) == {"session": {"messageCount": 24 * len(OCTAVIA)}}

        beside[0].kill()
        until(lambda: {child.pid for child in web_processes(server)} - {child.pid for child in beside})
        assert server.graphql(COUNT) == {"session": {"messageCount": 24 * len(OCTAVIA)}}
        left = server.children()
        assert server.stop() == 0
        assert psutil.wait_procs(left, timeout=20)[1] == []


def test_a_killed_server_takes_its_web_processes_with_it(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--web-processes", "2", "--enrichment-processes", "0") as server:
        beside = until(lambda: web_processes(server))
        server.stop(signal.SIGKILL)
        assert psutil.wait_procs(beside, timeout=20)[1] == []


def test_the_web_process_holds_no_model(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--enrichment-processes", "0") as server:
        server.graphql(ADD, input={"sessionId": "s", "messages": OCTAVIA})
        process = psutil.Process(server.process.pid)
        loaded = {part for mapped in process.memory_maps() for part in Path(mapped.path).parts}
        assert loaded.isdisjoint({"numpy", "spacy", "thinc", "blis"})
        assert "orjson" in loaded  # so that the line above would see one
        assert process.memory_info().rss < 150 * 2**20
