"""A client of graphql-transport-ws, in raw frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

ADDED = "subscription S($id: ID!, $after: Int) { messageAdded(sessionId: $id, afterSeq: $after) { seq content } }"
UPDATED = "subscription S($id: ID!) { messageUpdated(sessionId: $id) { kind uuid seq message { content } } }"
SESSIONS = "subscription S($user: ID) { sessionUpdated(userId: $user) { kind sessionId session { messageCount } } }"


class Socket:
    """One connection, acknowledged."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """The next message that is not a ping."""
        while True:
            text = await asyncio.wait_for(self.connection.recv(), 60)
            assert isinstance(text, str)
            message: dict[str, Any] = json.loads(text)
            if message["type"] != "ping":
                return message

    async def subscribe(self, query: str, variables: dict[str, Any], key: str = "1") -> None:
        await self.send(id=key, type="subscribe", payload={"query": query, "variables": variables})

    async def data(self) -> Any:
        """The data of the next result."""
        message = await self.receive()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def seqs(self, count: int) -> list[int]:
        """The numbers of the next messages."""
        return [(await self.data())["messageAdded"]["seq"] for _ in range(count)]


@asynccontextmanager
async def socket_to(url: str, *, acknowledged: bool = True, bearer: str | None = None) -> AsyncIterator[Socket]:
    """Connect to `http://…`, as the holder of a token."""
    address = f"{url.replace('http', 'ws', 1)}/graphql"
    async with connect(address, subprotocols=["graphql-transport-ws"], max_size=None) as connection:  # type: ignore[list-item]
        socket = Socket(connection)
        if acknowledged:
            await socket.send(type="connection_init", payload={"authorization": f"Bearer {bearer}"} if bearer else {})
            assert (await socket.receive())["type"] == "connection_ack"
        yield socket
