"""The GraphQL API of a server, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, nullcontext

import httpx
from httpx_sse import aconnect_sse

from graph.mcp.api import Response, Variables

_SECONDS = 60.0
"""Maximum time for an answer; the server's own limits are shorter."""


class RemoteApi:
    """The GraphQL API of a server, with the rights of the credentials that the client sends.

    Args:
        client: has the server's address as its base URL.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def query(self, document: str, variables: Variables) -> Response:
        """Execute a query."""
        return await self._post(document, variables)

    async def mutate(self, document: str, variables: Variables) -> Response:
        """Execute a mutation. A lost answer is an error whose message says that the outcome is unknown."""
        return await self._post(document, variables)

    async def _post(self, document: str, variables: Variables) -> Response:
        sent = {"query": document, "variables": dict(variables)}
        try:
            response = await self._client.post("graphql", json=sent, timeout=_SECONDS)
            answer: Response = response.json()
        except httpx.ConnectError:
            return _unavailable(f"{self._client.base_url} does not answer: start the server, or correct the address")
        except (httpx.HTTPError, ValueError) as error:
            return _unavailable(
                f"{self._client.base_url} gave no answer of GraphQL ({type(error).__name__}): a change may have been"
                " stored"
            )
        return answer

    async def follow(self, document: str, variables: Variables) -> AsyncGenerator[Response, None]:
        """Yield the results of a subscription, which the server sends as server-sent events."""
        sent = {"query": document, "variables": dict(variables)}
        try:
            async with aconnect_sse(
                self._client, "POST", "graphql", json=sent, timeout=httpx.Timeout(_SECONDS)
            ) as source:
                async for event in source.aiter_sse():
                    if event.event == "complete":
                        return
                    if event.event == "next":
                        yield event.json()
        except httpx.HTTPError as error:
            yield _unavailable(f"{self._client.base_url} ended the subscription ({type(error).__name__})")

    def open_stream(self) -> AbstractContextManager[None]:
        """Count nothing: the server counts each of its own streams."""
        return nullcontext()


def _unavailable(message: str) -> Response:
    return {"errors": [{"message": message, "extensions": {"code": "UNAVAILABLE"}}]}
