"""What subscribers and the log see when `recallql serve` is stopped."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.graphql_client import ADD
from tests.support.json_lines import body_to
from tests.support.live_client import ADDED, UPDATED, Socket, socket_to
from tests.support.server_process import ServerProcess, served, until

HELLO = {"sessionId": "s", "messages": [{"role": "human", "content": "hello"}]}


async def until_closed(socket: Socket) -> None:
    while True:
        assert (await socket.receive())["type"] != "complete"


async def close_frame(socket: Socket) -> tuple[int, str]:
    """How the socket is closed, after whatever comes before."""
    with pytest.raises(ConnectionClosed) as closed:
        await until_closed(socket)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def stopped(server: ServerProcess, number: int) -> float:
    """Send a signal and wait for the end, which must be a good one; the seconds that it took."""
    started = time.monotonic()
    assert await anyio.to_thread.run_sync(server.stop, number) == 0
    return time.monotonic() - started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_stop_says_goodbye_to_each_socket_and_logs_no_traceback(tmp_path: Path, number: int) -> None:
    with served(tmp_path / "data", "--enrichment-processes", "0") as server:
        port = urlsplit(server.url).port or 0
        async with (
            socket_to(server.url) as many,
            socket_to(server.url) as another,
            socket_to(server.url) as idle,
            body_to(port) as lines,
        ):
            await anyio.to_thread.run_sync(lambda: server.graphql(ADD, input=HELLO))
            for key in range(5):
                await many.subscribe(ADDED, {"id": "s", "after": 0}, f"added {key}")
                await many.subscribe(UPDATED, {"id": "s"}, f"updated {key}")
            await another.subscribe(ADDED, {"id": "s", "after": 0})
            assert await many.seqs(5) == [1] * 5
            assert await another.seqs(1) == [1]
            stopping = asyncio.create_task(stopped(server, number))
            for socket in (many, another, idle):
                code, reason = await close_frame(socket)
                assert code == 1012
                assert "connect again" in reason
            assert "without an answer again" in (await lines.error())["message"]
            assert await lines.answer() is None
            await stopping
        assert "Traceback" not in server.stderr()
        assert "ERROR" not in server.stderr()


async def test_a_live_subscription_holds_up_no_stop(tmp_path: Path) -> None:
    with served(tmp_path / "without", "--enrichment-processes", "0") as server:
        alone = await stopped(server, signal.SIGTERM)
    with served(tmp_path / "with", "--enrichment-processes", "0") as server:
        async with socket_to(server.url) as live, socket_to(server.url) as silent:
            await anyio.to_thread.run_sync(lambda: server.graphql(ADD, input=HELLO))
            await live.subscribe(ADDED, {"id": "s", "after": 0})
            await silent.subscribe(ADDED, {"id": "s", "after": 0})
            assert await live.seqs(1) == [1]
            silent.connection.transport.pause_reading()  # it answers no close frame
            followed = await stopped(server, signal.SIGTERM)
    assert followed - alone < 4  # 0.1 seconds on an idle machine


async def test_a_suspended_mongod_holds_up_no_stop(tmp_path: Path) -> None:
    with served(tmp_path / "data") as server:
        async with socket_to(server.url) as live:
            await anyio.to_thread.run_sync(lambda: server.graphql(ADD, input=HELLO))
            await live.subscribe(ADDED, {"id": "s", "after": 0})
            assert await live.seqs(1) == [1]
            (mongod,) = (child for child in server.children() if child.name() == "mongod")
            mongod.suspend()
            adding = asyncio.create_task(anyio.to_thread.run_sync(lambda: server.graphql(ADD, input=HELLO)))
            await asyncio.sleep(0.5)  # the write arrives, or is refused
            took = await stopped(server, signal.SIGTERM)
        await asyncio.gather(adding, return_exceptions=True)
        log = server.stderr()
    assert took < 20  # 2 seconds on an idle machine, and more than 40 while mongod is waited for
    assert "is killed" not in log
    assert "Traceback" not in log


async def test_a_client_that_goes_while_it_is_answered_leaves_no_traceback(
    tmp_path: Path,
) -> None:
    with served(tmp_path / "data", "--enrichment-processes", "0") as server:
        for _ in range(20):
            async with socket_to(server.url) as socket:
                for key in range(5):
                    await socket.subscribe("{ __typename }", {}, f"{key}")
                    await socket.subscribe(ADDED, {"id": "s"}, f"live {key}")
                await socket.connection.send(json.dumps({"type": "ping"}))
                socket.connection.transport.abort()
        await stopped(server, signal.SIGTERM)
        assert "Traceback" not in server.stderr()


DONE = '{ session(sessionId: "s") { enrichment { done } } }'
NOTES_ENDS = """
import atexit, os, pathlib
atexit.register(lambda: pathlib.Path(os.environ["ENDS"], str(os.getpid())).touch())
"""


@pytest.mark.timeout(300)
def test_children_end_beside_the_web_server_and_without_the_end_of_the_interpreter(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOTES_ENDS)
    ends = tmp_path / "ends"
    ends.mkdir()
    flags = ["--web-processes", "2", "--log-level", "debug"]
    with served(tmp_path / "data", *flags, PYTHONPATH=str(tmp_path), ENDS=str(ends), RECALLQL_PORTS="1") as server:
        server.graphql(ADD, input=HELLO)
        until(lambda: server.graphql(DONE)["session"]["enrichment"]["done"] == 1, 120)  # so that the worker runs
        assert server.stop() == 0
        log = server.stderr()
    finished = log.index(f"Finished server process [{server.process.pid}]")
    assert log.index("an enrichment worker: to end") < finished
    assert log.index("a web process: to end") < finished
    assert log.count("RECALLQL_PORTS is no setting") == 1  # its children have the same environment
    assert [end.name for end in ends.iterdir()] == [str(server.process.pid)]
