"""A TCP proxy on loopback between the driver and mongod, which loses or cuts what a test chooses."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.support.tcp import closed_at_end, connected, tcp_server

_HEADER = struct.Struct("<iiii")  # messageLength, requestID, responseTo, opCode


def never(_request: bytes) -> bool:
    return False


class Proxy:
    """Passes messages of MongoDB's wire protocol.

    Attributes:
        uri: the connection string that leads through it.
        loses: whether the answer to a request is lost, with the connection left open.
        cuts: whether the connection is closed when a request comes, which mongod does not get.
        goes_dark: whether no answer comes back from this request on, on any connection.
        dark: whether it has.
        lost: how many answers were lost.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self.loses: Callable[[bytes], bool] = never
        self.cuts: Callable[[bytes], bool] = never
        self.goes_dark: Callable[[bytes], bool] = never
        self.dark = False
        self.lost = 0
        self.uri = ""
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes on one connection, until either side closes it."""
        upstream, to_mongod = await asyncio.open_connection(sock=connected(self._target))
        lost: set[int] = set()
        self._open.add(writer)
        async with closed_at_end(to_mongod):
            passing = [
                asyncio.ensure_future(self._requests(reader, to_mongod, lost)),
                asyncio.ensure_future(self._answers(upstream, writer, lost)),
            ]
            try:
                await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._open.discard(writer)
                for task in passing:
                    task.cancel()
                await asyncio.gather(*passing, return_exceptions=True)

    def heal(self) -> None:
        """Answer again, on new connections: on the old ones, the answers that were lost would be waited for."""
        self.goes_dark, self.dark = never, False
        for writer in self._open:
            writer.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: set[int]) -> None:
        while True:
            header = await reader.readexactly(_HEADER.size)
            length, request_id, _, _ = _HEADER.unpack(header)
            body = await reader.readexactly(length - _HEADER.size)
            if self.cuts(body):
                return
            self.dark = self.dark or self.goes_dark(body)
            if self.dark or self.loses(body):
                lost.add(request_id)
            writer.write(header + body)
            await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: set[int]) -> None:
        while True:
            header = await reader.readexactly(_HEADER.size)
            length, _, response_to, _ = _HEADER.unpack(header)
            body = await reader.readexactly(length - _HEADER.size)
            if self.dark or response_to in lost:
                self.lost += 1
                continue
            writer.write(header + body)
            await writer.drain()


@asynccontextmanager
async def proxy(target: str) -> AsyncIterator[Proxy]:
    """Run one for the length of a block.

    Args:
        target: the connection string of a mongod.
    """
    made = Proxy(target)
    async with tcp_server(made.serve) as port:
        # Directly: otherwise the driver would find the mongod behind it, and go there.
        made.uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        yield made
