"""The writes of one turn go out together, in order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from graph.transport.joined_writes import MOST_JOINED, JoinedWrites


class Sent(asyncio.Transport):
    """Counts the writes on a real transport."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self.transport = transport
        self.writes: list[int] = []

    def write(self, data: Any) -> None:
        self.writes.append(len(data))
        self.transport.write(data)

    def close(self) -> None:
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    def is_closing(self) -> bool:
        return self.transport.is_closing()

    def get_write_buffer_size(self) -> int:
        return self.transport.get_write_buffer_size()


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[JoinedWrites, Sent, asyncio.StreamReader]]:
    here, there = socket.socketpair()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=here)
    reader, writer = await asyncio.open_connection(sock=there)
    sent = Sent(transport)
    try:
        yield JoinedWrites(sent, loop), sent, reader
    finally:
        transport.abort()
        writer.close()


async def test_the_writes_of_a_turn_are_one() -> None:
    async with joined() as (writes, sent, reader):
        for number in range(10):
            writes.write(b"%d " % number)
        assert sent.writes == []
        assert writes.get_write_buffer_size() == 20
        assert await reader.readexactly(20) == b"0 1 2 3 4 5 6 7 8 9 "
        writes.write(b"later")
        assert await reader.readexactly(5) == b"later"
        assert sent.writes == [20, 5]
        assert writes.get_write_buffer_size() == 0


async def test_many_bytes_do_not_wait() -> None:
    async with joined() as (writes, sent, reader):
        writes.write(b"first")
        writes.write(b"x" * MOST_JOINED)
        writes.write(b"last")
        assert sent.writes == [5 + MOST_JOINED]
        assert await reader.readexactly(9 + MOST_JOINED) == b"first" + b"x" * MOST_JOINED + b"last"


async def test_what_was_written_before_the_end_arrives() -> None:
    async with joined() as (writes, _, reader):
        writes.write(b"the end")
        writes.close()
        assert await reader.read() == b"the end"


async def test_nothing_is_sent_after_an_abort() -> None:
    async with joined() as (writes, _, reader):
        writes.write(b"lost")
        writes.abort()
        assert await reader.read() == b""


def test_a_lost_connection_takes_no_bytes() -> None:
    """uvloop refuses to write to a connection that is closed already."""
    failures: list[dict[str, Any]] = []

    async def lose() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, failure: failures.append(failure))
        async with joined() as (writes, sent, _):
            sent.transport.abort()
            await asyncio.sleep(0.01)
            writes.write(b"too late")
            await asyncio.sleep(0.01)

    uvloop.run(lose())
    assert failures == []
