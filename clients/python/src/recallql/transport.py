"""GraphQL over HTTP: queries and mutations with retries, subscriptions over server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import httpx
from httpx_sse import aconnect_sse
from pydantic import BaseModel
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, stop_never, wait_random_exponential

from recallql.errors import Unavailable, error_of


class HTTPTransport:
    """Sends the operations of the generated client.

    An operation is sent again when the service is unavailable or the connection is lost. A mutation that is sent again
    carries an idempotency key, or has no further effect.

    Args:
        url: the address of the server.
        key: a service key or JWT, or a function that returns the current one; None for a server without credentials.
        attempts: the maximum number of requests for one operation.
        timeout: the maximum seconds for one answer.
        http: an HTTP client of your own, whose base URL is the server; the caller closes it.
    """

    def __init__(
        self,
        url: str = "http://localhost:8000",
        key: str | Callable[[], str] | None = None,
        *,
        attempts: int = 5,
        timeout: float = 60.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout) if http is None else http
        self._owns_http = http is None
        self._key = key
        self._attempts = attempts

    async def close(self) -> None:
        """Close the connections."""
        if self._owns_http:
            await self._http.aclose()

    async def execute(
        self,
        query: str,
        operation_name: str | None = None,
        variables: dict[str, Any] | None = None,
        *,
        repeats: bool = True,
    ) -> dict[str, Any]:
        """Execute a query or mutation; return the response.

        Args:
            query: the document.
            operation_name: the name of the operation.
            variables: the variables.
            repeats: whether the operation may be sent again.

        Raises:
            RecallQLError: the response has errors.
            httpx.TransportError: the server could not be reached in any attempt.
        """
        body = _body(query, operation_name, variables)
        async for attempt in self.attempts(1 if not repeats else self._attempts):
            with attempt:
                response = await self._http.post("/graphql", json=body, headers=self._headers())
                answer: dict[str, Any] = _json(response)
                if errors := answer.get("errors"):
                    raise error_of(errors)
        return answer

    def get_data(self, response: dict[str, Any]) -> dict[str, Any]:
        """Return the data of a response without errors."""
        data: dict[str, Any] = response["data"]
        return data

    async def execute_ws(
        self, query: str, operation_name: str | None = None, variables: dict[str, Any] | None = None, **_: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the results of a subscription, which come as server-sent events, until the server completes it.

        Raises:
            RecallQLError: the subscription is refused or fails.
            httpx.TransportError: the connection is lost.
        """
        body = _body(query, operation_name, variables)
        async with aconnect_sse(self._http, "POST", "/graphql", json=body, headers=self._headers()) as source:
            if not source.response.headers.get("content-type", "").startswith("text/event-stream"):
                await source.response.aread()
                raise error_of(_json(source.response).get("errors") or [{"message": "the server sent no stream"}])
            async for event in source.aiter_sse():
                if event.event == "complete":
                    return
                if event.event == "next":
                    result = event.json()
                    if errors := result.get("errors"):
                        raise error_of(errors)
                    yield result["data"]
        raise httpx.RemoteProtocolError("the server ended the stream before the subscription was complete")

    def attempts(self, most: int | None) -> AsyncRetrying:
        """Return the attempts of one operation, with a growing random wait between them.

        Args:
            most: the maximum number; None for no limit.
        """
        return AsyncRetrying(
            retry=retry_if_exception_type((Unavailable, httpx.TransportError)),
            stop=stop_never if most is None else stop_after_attempt(most),
            wait=wait_random_exponential(multiplier=0.2, max=10),
            reraise=True,
        )

    def _headers(self) -> dict[str, str]:
        key = self._key() if callable(self._key) else self._key
        return {} if key is None else {"Authorization": f"Bearer {key}"}


def _body(query: str, operation_name: str | None, variables: dict[str, Any] | None) -> dict[str, Any]:
    from recallql.generated.base_model import UNSET  # noqa: PLC0415 - that package imports this module

    given = {name: _plain(value) for name, value in (variables or {}).items() if value not in (None, UNSET)}
    return {"query": query, "operationName": operation_name, "variables": given}


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, UUID) else value


def _json(response: httpx.Response) -> dict[str, Any]:
    """Return the body of a response of GraphQL.

    Raises:
        Unavailable: the body is no response of GraphQL, such as the page of a proxy.
    """
    try:
        answer: dict[str, Any] = response.json()
    except ValueError:
        message = f"the server answered with status {response.status_code} and no JSON"
        raise Unavailable([{"message": message}]) from None
    return answer
