"""TCP servers of tests, which leave no connection open."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from pymongo.uri_parser import parse_uri

_CLOSE_SECONDS = 5

Handle: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connected(uri: str) -> socket.socket:
    """A connection to the first server of a connection string of MongoDB, which may be a Unix socket."""
    host, port = parse_uri(uri)["nodelist"][0]
    if not host.endswith(".sock"):
        return socket.create_connection((host, port))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(host)
    return connection


@asynccontextmanager
async def tcp_server(handle: Handle) -> AsyncIterator[int]:
    """Serve connections on loopback for the length of a block, and end them with it.

    Args:
        handle: serves one connection, which is closed afterwards.

    Yields:
        The port.
    """
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with closed_at_end(writer):
            await handle(reader, writer)

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        while serving:  # a connection may be accepted while others end
            tasks = list(serving)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def closed_at_end(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a connection after a block, and wait until its socket is closed."""
    try:
        yield
    finally:
        writer.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await writer.wait_closed()
        except TimeoutError:  # the peer does not read the rest
            writer.transport.abort()
            await asyncio.sleep(0)
        except OSError:  # the peer has closed it before
            pass
