"""Servers that are replaced one after the other behind a load balancer, under load."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest
from recallql import AsyncRecallQL

from graph.settings import Settings
from graph.store.database import Database
from tests.support.graphql_client import PLAIN
from tests.support.haproxy import HAPROXY, balanced
from tests.support.live_client import socket_to
from tests.support.server_process import ServerProcess, served, until
from tests.support.tcp import free_port

ADD = """mutation Add($text: String!) {
  addMemory(input: {sessionId: "s", messages: [{role: "user", content: $text}]}) { memory { messages { seq } } }
}"""
COUNT = '{ session(sessionId: "s") { messageCount } }'
WRITERS = 4


class _Load:
    """Clients that repeat no request, and a subscriber that connects again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ending = asyncio.Event()
        self.failed: list[str] = []
        self.written: dict[str, int] = {}
        self.followed: list[tuple[int, str | None]] = []

    async def _ask(self, client: httpx.AsyncClient, query: str, **variables: str) -> httpx.Response | None:
        try:
            response = await client.post(f"{self._url}/graphql", json={"query": query, "variables": variables})
        except httpx.HTTPError as error:
            self.failed.append(repr(error))
            return None
        if response.status_code != 200 or "errors" in response.json():
            self.failed.append(f"{response.status_code} {response.text}")
            return None
        return response

    async def write(self, name: int) -> None:
        async with httpx.AsyncClient(timeout=60, verify=PLAIN) as client:
            count = 0
            while not self._ending.is_set():
                text = f"{name} writes {(count := count + 1)}"
                if (response := await self._ask(client, ADD, text=text)) is not None:
                    (message,) = response.json()["data"]["addMemory"]["memory"]["messages"]
                    self.written[text] = message["seq"]
                await asyncio.sleep(0.02)

    async def read(self) -> None:
        async with httpx.AsyncClient(timeout=60, verify=PLAIN) as client:
            while not self._ending.is_set():
                await self._ask(client, COUNT)
                await asyncio.sleep(0.02)

    async def follow(self) -> None:
        async with AsyncRecallQL(self._url) as client:
            async for message in client.follow("s", after_seq=0):
                self.followed.append((message.seq, message.content))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run all clients for the length of a block, and then let the subscriber come to the end."""
        async with asyncio.TaskGroup() as tasks:
            clients = [tasks.create_task(self.write(name)) for name in range(WRITERS)]
            clients += [tasks.create_task(self.read()) for _ in range(2)]
            following = tasks.create_task(self.follow())
            try:
                yield
            finally:
                self._ending.set()
                await asyncio.wait(clients)
                deadline = time.monotonic() + 60
                while len(self.followed) < len(self.written) and time.monotonic() < deadline:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                following.cancel()


@pytest.mark.slow
@pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")
@pytest.mark.timeout(600)
async def test_no_request_fails_while_servers_are_replaced_one_after_the_other(
    tmp_path: Path, mongodb_uri: str, settings: Settings, database: Database
) -> None:
    del database
    ports = [free_port(), free_port()]
    environment = {"RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database, "RECALLQL_DRAIN": "5"}

    def start(port: int) -> ServerProcess:
        (home := tmp_path / f"{port}").mkdir(exist_ok=True)
        flags = ("--port", str(port), "--enrichment-processes", "0")
        return servers.enter_context(served(home / "data", *flags, **environment))

    async with AsyncExitStack() as servers:
        running = [start(port) for port in ports]
        with balanced(tmp_path, ports) as balancer:
            load = _Load(balancer.url)
            async with load.running():
                await asyncio.sleep(2)
                for number, port in [*enumerate(ports), *enumerate(ports)]:
                    assert await anyio.to_thread.run_sync(running[number].stop) == 0
                    running[number] = await anyio.to_thread.run_sync(start, port)
                    await anyio.to_thread.run_sync(until, partial(balancer.is_up, port))
        logs = "".join(server.stderr() for server in running)
    assert load.failed == []
    assert len(load.written) > 100
    assert load.followed == sorted((seq, text) for text, seq in load.written.items())
    assert "Traceback" not in logs


async def test_a_server_that_is_to_end_answers_on_and_sends_its_clients_elsewhere(
    tmp_path: Path, mongodb_uri: str, settings: Settings, database: Database
) -> None:
    del database
    environment = {"RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database, "RECALLQL_DRAIN": "300"}
    with served(tmp_path / "data", "--enrichment-processes", "0", **environment) as server:
        async with httpx.AsyncClient(base_url=server.url, verify=PLAIN) as client, socket_to(server.url) as socket:
            before = await client.post("/graphql", json={"query": COUNT})
            assert "connection" not in before.headers
            server.process.terminate()
            async with asyncio.timeout(30):
                while (ready := await client.get("/ready")).status_code == 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert ready.json()["reasons"].keys() == {"draining"}
            after = await client.post("/graphql", json={"query": COUNT})
            assert (after.status_code, after.headers["connection"]) == (200, "close")
            await socket.subscribe("{ __typename }", {}, "asked")
            assert (await socket.receive())["type"] == "next"
            server.process.send_signal(signal.SIGINT)  # as who waits for it can
            assert await anyio.to_thread.run_sync(server.process.wait, 60) == 0
