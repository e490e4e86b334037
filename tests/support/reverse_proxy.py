"""A reverse proxy for HTTP and WebSockets on loopback, which serves an upstream below a path prefix."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.support.tcp import closed_at_end, tcp_server


@dataclass
class ReverseProxy:
    """What the proxy does with requests; each connection carries one.

    Attributes:
        port: of the upstream, on this machine.
        prefix: of the paths that it serves; others are answered with 404.
        strips: whether the upstream gets paths without the prefix.
        forwards_host: whether it tells the upstream the host that the client called.
        host: the upstream's name in the requests that it passes on.
    """

    port: int
    prefix: str = "/memory"
    strips: bool = True
    forwards_host: bool = True
    host: str = "recallql"
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one request on, and what follows, until either side ends."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            method, path, version = first.split(" ")
            below = path.removeprefix(self.prefix)
            if below == path or (below and below[0] not in "/?"):
                writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            headers = [tuple(line.split(": ", 1)) for line in lines]
            called = next(value for name, value in headers if name.lower() == "host")
            is_upgrade = any(name.lower() == "upgrade" for name, _ in headers)
            dropped = {"host", "x-forwarded-host", "x-forwarded-proto", *(() if is_upgrade else ("connection",))}
            passed = [(name, value) for name, value in headers if name.lower() not in dropped]
            passed += [("Host", self.host), ("X-Forwarded-Proto", "https")]
            passed += [("X-Forwarded-Host", called)] if self.forwards_host else []
            passed += [] if is_upgrade else [("Connection", "close")]
            target = (below if below.startswith("/") else f"/{below}") if self.strips else path
            told = "".join(f"{name}: {value}\r\n" for name, value in passed)
            upstream, to_upstream = await asyncio.open_connection("127.0.0.1", self.port)
            async with closed_at_end(to_upstream):
                to_upstream.write(f"{method} {target} {version}\r\n{told}\r\n".encode("latin-1"))
                await _both(
                    asyncio.ensure_future(_pass(reader, to_upstream)), asyncio.ensure_future(_pass(upstream, writer))
                )


async def _both(request: asyncio.Future[None], answer: asyncio.Future[None]) -> None:
    """Wait for the end of the answer, or of the client."""
    try:
        await asyncio.wait([request, answer], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in (request, answer):
            one.cancel()
        await asyncio.gather(request, answer, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def proxying(proxy: ReverseProxy) -> AsyncIterator[ReverseProxy]:
    """Serve a proxy; its `url` is the address of the prefix."""

    async with tcp_server(proxy.serve) as port:
        proxy.url = f"http://127.0.0.1:{port}{proxy.prefix}"
        yield proxy
