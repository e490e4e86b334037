"""A GraphQL client over real HTTP, and the server it talks to."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx where servers have no TLS: its default is to read all known certificates, 18 ms for each client."""


class Client:
    """Sends operations to `/graphql`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def send(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        # Escaped, because a lone surrogate can be sent no other way.
        body = json.dumps({"query": query, "variables": variables})
        response = await self.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
        answer: dict[str, Any] = response.json()
        return answer

    async def data(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = await self.send(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def error(self, query: str, **variables: Any) -> dict[str, Any]:
        """The one error of an answer, with its code at hand."""
        answer = await self.send(query, **variables)
        (error,) = answer["errors"]
        return {"code": error["extensions"]["code"], **error}


class _Server(uvicorn.Server):
    """Ends at once when it is asked to: uvicorn's own looks ten times a second, and sleeps before it closes the app."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._asked = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._asked.set()

    async def main_loop(self) -> None:
        for tick in itertools.count():
            if await self.on_tick(tick):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for _ in range(_TURNS):
            if not self.server_state.connections and not self.server_state.tasks:
                break
            await asyncio.sleep(0)
        else:  # clients are connected still
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        await self.lifespan.shutdown()


_TURNS = 20
"""Of the loop, in which it sees that the connections of closed clients have ended."""


@asynccontextmanager
async def serving(app: Starlette, **options: Any) -> AsyncIterator[Client]:
    """Serve the application on a free port of loopback, in this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        # A connection that the client may reuse stays open for as long as a test may take on a busy machine.
        config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_keep_alive=300, **options)
        server = _Server(config)
        server.config.load()
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not running.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, verify=PLAIN) as http:
                yield Client(http)
        finally:
            server.end()
            await running


ADD = """
mutation Add($input: AddMemoryInput!) {
  addMemory(input: $input) {
    replayed
    memory { id uuid tokenCount metadata messages { uuid seq role content metadata tokenCount } }
    session { sessionId uuid messageCount tokenCount metadata }
  }
}
"""

OCTAVIA: list[dict[str, Any]] = [
    {"role": "human", "content": "Who was Octavia Butler?"},
    {
        "role": "ai",
        "content": "Octavia Estelle Butler (June 22, 1947 – February 24, 2006) was an American science fiction author.",  # noqa: RUF001
    },
    {"role": "human", "content": "Which books of hers were made into movies?", "metadata": {"foo": "bar"}},
]
"""The sample conversation of the product's documentation."""
