"""Faults while a message is written in pieces: a killed server of the writer, and readers whose connections are cut."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from graph.settings import Settings
from graph.store.database import Database
from tests.support.cuts import Cuts, cuts_before
from tests.support.graphql_client import PLAIN, Client
from tests.support.live_client import socket_to
from tests.support.pieces import APPEND, FINISH, pieces, started
from tests.support.server_process import ServerProcess, served

pytestmark = pytest.mark.slow

STREAM = """subscription S($u: UUID!, $after: Int) { messageStream(uuid: $u, afterIndex: $after) {
  index text done message { content status } } }"""
TOTAL = 600
KILLINGS = 2
CUTS = 10


@dataclass
class Reader:
    """A reader that comes back after the last index whenever its connection is lost."""

    indexes: list[int] = field(default_factory=list)
    text: str = ""
    last: Any = None
    connections: int = 0

    async def read(self, address: Any, uuid: str) -> None:
        """Read until the end, from the server that `address` returns the address of."""
        while self.last is None:
            with suppress(ConnectionClosed, OSError, TimeoutError, EOFError):
                await self._read_once(address(), uuid)
            await asyncio.sleep(0.02)

    async def _read_once(self, url: str, uuid: str) -> None:
        async with socket_to(url) as socket:
            self.connections += 1
            after = self.indexes[-1] if self.indexes else None
            await socket.subscribe(STREAM, {"u": uuid, "after": after})
            while self.last is None:
                one = (await socket.data())["messageStream"]
                if one["done"]:
                    self.last = one["message"]
                else:
                    self.indexes.append(one["index"])
                    self.text += one["text"]


async def write(writer: Any, uuid: str, until: int, index: int) -> int:
    """Append pieces up to a number, each sent until it is acknowledged; return the next index."""
    while index < until:
        count = min(1 + index % 3, until - index)
        given = pieces(uuid, index, *(text_of(place) for place in range(index, index + count)))
        answer = await persistently(writer, APPEND, given)
        index = answer["appendMessage"]["nextIndex"]
    return index


async def persistently(writer: Any, query: str, given: Any) -> Any:
    while True:
        with suppress(httpx.HTTPError):
            async with httpx.AsyncClient(base_url=writer(), timeout=30, verify=PLAIN) as http:
                answer = await Client(http).send(query, i=given)
            if "errors" not in answer:
                return answer["data"]
            assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE", answer
        await asyncio.sleep(0.05)


def text_of(index: int) -> str:
    return f"{index} é🙂 " if index % 5 else ""


@pytest.mark.timeout(300)
async def test_killed_servers_and_cut_readers_end_with_exactly_the_text(
    mongodb_uri: str, database: Database, settings: Settings, tmp_path: Path
) -> None:
    environment = {"RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database}
    flags = ["--enrichment-processes", "0"]
    async with AsyncExitStack() as stack:
        made: list[ServerProcess] = []

        def start(*more: str) -> ServerProcess:
            (data_dir := tmp_path / f"data{len(made)}").mkdir()
            made.append(stack.enter_context(served(data_dir, *flags, *more, **environment)))
            return made[-1]

        current = {"writer": await anyio.to_thread.run_sync(start)}
        steady = await anyio.to_thread.run_sync(lambda: start("--web-processes", "2"))
        cuts: Cuts = await stack.enter_async_context(cuts_before(int(httpx.URL(steady.url).port or 0)))

        def of_writer() -> str:
            return current["writer"].url

        async with httpx.AsyncClient(base_url=of_writer(), timeout=30, verify=PLAIN) as http:
            uuid = (await started(Client(http)))["uuid"]
        readers = [Reader() for _ in range(8)]
        addresses = [of_writer, lambda: steady.url, lambda: cuts.url, lambda: cuts.url]
        reading = [
            asyncio.create_task(reader.read(addresses[number % 4], uuid)) for number, reader in enumerate(readers)
        ]
        index = 0
        for step in range(1, CUTS + 1):
            writing = asyncio.create_task(write(of_writer, uuid, TOTAL * step // CUTS, index))
            await asyncio.sleep(0.1)
            cuts.cut()
            if step in range(2, 2 + KILLINGS):
                current["writer"].process.send_signal(signal.SIGKILL)
                current["writer"] = await anyio.to_thread.run_sync(start)
            index = await writing
        async with asyncio.timeout(60):
            while any(len(reader.indexes) < TOTAL for reader in readers):  # noqa: ASYNC110 - the readers only count
                await asyncio.sleep(0.05)
        cuts.cut()
        await persistently(of_writer, FINISH, {"uuid": uuid})
        async with asyncio.timeout(60):
            await asyncio.gather(*reading)
    whole = "".join(map(text_of, range(TOTAL)))
    for reader in readers:
        assert reader.indexes == list(range(TOTAL))
        assert reader.text == whole
        assert reader.last == {"content": whole, "status": "COMPLETE"}
    assert min(reader.connections for reader in readers[2::4] + readers[3::4]) > CUTS // 2
    assert min(reader.connections for reader in readers[0::4]) == 1 + KILLINGS
    assert await database.pieces.find() == []
