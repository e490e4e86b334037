"""A TCP proxy before the server, which cuts connections and loses answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.tcp import closed_at_end, tcp_server


class Cuts:
    """Passes bytes between clients and a server.

    Attributes:
        url: the address of the proxy.
        port: that of the server, for the connections to come.
        answers_to_lose: the number of next answers that are lost, each with its connection.
        lost: the number of lost answers.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._open: set[asyncio.Task[None]] = set()
        self._passed = asyncio.Event()
        self.url = ""
        self.answers_to_lose = 0
        self.lost = 0

    def cut(self) -> None:
        """Close all connections."""
        for task in list(self._open):
            task.cancel()

    async def answer(self) -> None:
        """Wait until the next part of an answer is passed on."""
        self._passed.clear()
        await self._passed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on the bytes of one connection, until either side closes it; close it at once without a server."""
        try:
            upstream, to_server = await asyncio.open_connection("127.0.0.1", self.port)
        except ConnectionRefusedError:
            return
        async with closed_at_end(to_server):
            passing = [
                asyncio.create_task(self._pass(reader, to_server)),
                asyncio.create_task(self._answers(upstream, writer)),
            ]
            self._open.update(passing)
            try:
                await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in passing:
                    task.cancel()
                await asyncio.gather(*passing, return_exceptions=True)
                self._open.difference_update(passing)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()

    async def _answers(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if self.answers_to_lose:
                self.answers_to_lose -= 1
                self.lost += 1
                return
            target.write(data)
            await target.drain()
            self._passed.set()


@asynccontextmanager
async def cuts_before(port: int) -> AsyncIterator[Cuts]:
    """Put the proxy before a server on loopback for the length of a block."""
    cuts = Cuts(port)
    async with tcp_server(cuts.serve) as own:
        cuts.url = f"http://127.0.0.1:{own}"
        yield cuts
