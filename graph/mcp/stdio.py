"""MCP over standard input and output."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from graph.errors import StartupError
from graph.mcp.remote import RemoteApi
from graph.mcp.server import create_server
from graph.outgoing import bearer, client_of, server_url

_STOP_SECONDS = 20.0
"""Maximum time for the stop of the server."""


async def serve_stdio(url: str, key: str | None) -> None:
    """Serve MCP on standard input and output until the input ends.

    Args:
        url: the address of the server whose GraphQL API the tools call.
        key: the credentials.

    Raises:
        StartupError: the address or the key can't be used.
    """
    address = server_url(url, "the server's address")
    address = address.copy_with(path=f"{address.path.rstrip('/')}/")
    async with client_of(address, base_url=address, headers=bearer(key, "RECALLQL_MCP_KEY")) as client:
        api = RemoteApi(client)
        await create_server(lambda _context: api).run_stdio_async()


@contextmanager
def started_server() -> Iterator[str]:
    """Start `recallql serve` on a free port for the length of a block, with the settings of the environment.

    Yields:
        The address.

    Raises:
        StartupError: the server ended; its own message is on standard error.
    """
    command = [sys.executable, "-m", "graph", "serve", "--host", "127.0.0.1", "--port", "0"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # noqa: S603 - its own command
    assert server.stdout is not None  # noqa: S101 - it is a pipe
    try:
        with server.stdout as lines:
            url = next((found[1] for line in lines if (found := re.search(r"(http://\S+)/graphql", line))), None)
            if url is None:
                raise StartupError("the server did not start: see its message above")
            yield url
    finally:
        server.terminate()
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
