"""Adding memories over GraphQL."""

from __future__ import annotations

from typing import Any

from tests.support.graphql_client import ADD, Client


async def add(client: Client, session_id: str, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    result: dict[str, Any] = (await client.data(ADD, input={"sessionId": session_id, "messages": messages, **more}))[
        "addMemory"
    ]
    return result
