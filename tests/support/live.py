"""What tests of subscriptions share."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette

from tests.support.graphql_client import ADD, Client
from tests.support.live_client import Socket


async def add(client: Client, session_id: str, count: int = 1, **more: Any) -> None:
    messages = [{"role": "human", "content": f"message {number}"} for number in range(count)]
    await client.data(ADD, input={"sessionId": session_id, "messages": messages, **more})


def url(client: Client) -> str:
    return str(client.http.base_url)


async def error(socket: Socket, query: str, variables: dict[str, Any]) -> tuple[str, str]:
    await socket.subscribe(query, variables, "wrong")
    message = await socket.receive()
    assert message["type"] == "error", message
    (only,) = message["payload"]
    return only["extensions"]["code"], only["message"]


async def watching(app: Starlette, followers: int = 1) -> None:
    """Wait until so many follow, and the change stream has its beginning: from here on they are told."""
    hub = app.state.backend.hub
    for _ in range(3_000):
        if hub._followers >= followers and hub.at is not None:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{hub._followers} follow")
