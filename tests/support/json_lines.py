"""A request whose body of JSON lines is written while its answer is read, over a plain connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.graphql_client import Client
from tests.support.tcp import closed_at_end

TYPE = "application/x-ndjson"


class OpenBody:
    """The open request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self._read = b""

    async def raw(self, data: bytes) -> None:
        """Send bytes of the body."""
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def send(self, query: str, **variables: Any) -> None:
        """Send one line."""
        await self.raw(line(query, **variables))

    async def end(self) -> None:
        """End the body."""
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def head(self) -> None:
        """Read the head of the response."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        first, *rest = head.strip().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}

    async def chunk(self) -> bytes:
        """The next chunk of the answer, as it was sent, or nothing at its end."""
        size = int(await self._reader.readuntil(b"\r\n"), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def answer(self) -> dict[str, Any] | None:
        """The next line of the answer, or None at its end."""
        while b"\n" not in self._read:
            chunk = await self.chunk()
            self._read += chunk
            if not chunk:
                assert not self._read
                return None
        first, _, self._read = self._read.partition(b"\n")
        found: dict[str, Any] = json.loads(first)
        return found

    async def data(self) -> Any:
        """The data of the next answer, which has no errors."""
        answer = await self.answer()
        assert answer is not None
        assert "errors" not in answer, answer
        return answer["data"]

    async def error(self) -> dict[str, Any]:
        """The one error of the next answer."""
        answer = await self.answer()
        assert answer is not None
        (error,) = answer["errors"]
        return {"code": error["extensions"]["code"], **error}


def line(query: str, **variables: Any) -> bytes:
    """A line of a body."""
    return json.dumps({"query": query, "variables": variables}).encode() + b"\n"


@asynccontextmanager
async def open_body(client: Client, **headers: str) -> AsyncIterator[OpenBody]:
    """Begin a request with a body of lines, and read the head of its response."""
    port = client.http.base_url.port
    assert port is not None
    # The lines are read as they come: httpx would accept gzip.
    async with body_to(port, **{**dict(client.http.headers), "accept-encoding": "identity", **headers}) as body:
        yield body


@asynccontextmanager
async def body_to(port: int, **headers: str) -> AsyncIterator[OpenBody]:
    """Begin such a request to a port of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with closed_at_end(writer):
        told = {"host": "localhost", "content-type": TYPE, **headers, "transfer-encoding": "chunked"}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"POST /graphql HTTP/1.1\r\n{head}\r\n".encode())
        body = OpenBody(reader, writer)
        await body.head()
        yield body
