"""Results as a stream over HTTP: server-sent events and multipart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.support.graphql_client import Client
from tests.support.live_client import ADDED

PING = ": ping\n\n"
EVENTS = {"accept": "text/event-stream"}
MULTIPART = {"accept": "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"}


@asynccontextmanager
async def streaming(
    client: Client, headers: dict[str, str], query: str = ADDED, **variables: Any
) -> AsyncIterator[tuple[httpx.Response, AsyncIterator[str]]]:
    body = {"query": query, "variables": variables}
    async with client.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        yield response, response.aiter_text()


async def until(chunks: AsyncIterator[str], end: str) -> str:
    """What comes until a text has come, without the pings before it."""
    text = ""
    while end not in text:
        text += await asyncio.wait_for(anext(chunks), 60)
        if end != PING:
            text = text.replace(PING, "")
    return text
