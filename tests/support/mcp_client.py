"""The MCP SDK's client, connected to a server over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
from httpx_sse import EventSource
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from tests.support.graphql_client import PLAIN
from tests.support.graphql_client import Client as GraphQLClient


def address(client: GraphQLClient) -> str:
    """Return the address of the server of a GraphQL client."""
    return str(client.http.base_url).rstrip("/")


@asynccontextmanager
async def mcp_client(base_url: str, bearer: str | None = None, mode: str = "auto") -> AsyncIterator[Client]:
    """Connect to the endpoint of a server.

    Args:
        base_url: the address of the server.
        bearer: the credentials.
        mode: the protocol revision to use, see `mcp.client.Client`.
    """
    headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60, verify=PLAIN) as http:
        transport = streamable_http_client(f"{base_url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


def answer_of(response: httpx.Response) -> Any:
    """Return the JSON-RPC answer in a response, which is one event."""
    (event,) = EventSource(response).iter_sse()
    return event.json()


def text_of(result: CallToolResult) -> str:
    """Return the text of the result of a tool."""
    return "".join(block.text for block in result.content if isinstance(block, TextContent))
