"""The GraphQL API as tools and resources call it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError

Variables: TypeAlias = Mapping[str, object]
Response: TypeAlias = Mapping[str, Any]
"""A response map of the GraphQL specification (section 7.1)."""


class Api(Protocol):
    """The GraphQL API with the rights of one caller."""

    async def query(self, document: str, variables: Variables) -> Response:
        """Execute a query."""

    async def mutate(self, document: str, variables: Variables) -> Response:
        """Execute a mutation."""

    def follow(self, document: str, variables: Variables) -> AsyncIterator[Response]:
        """Yield the results of a subscription."""

    def open_stream(self) -> AbstractContextManager[None]:
        """Count a stream of the caller, which may carry several subscriptions, for the length of a block.

        Raises:
            ApiError: the caller has the maximum number open.
        """


ApiOf: TypeAlias = Callable[[ServerRequestContext[Any, Any]], Api]
"""Returns the API for the caller of an MCP request."""


class ApiError(ResourceError):
    """The GraphQL API answered with errors; the message has the code and the text of each one.

    The MCP server returns the message of a `ResourceError` to the caller, from a tool, too.

    Args:
        errors: the errors as of a response (section 7.1.2), at least one.
    """

    def __init__(self, errors: Iterable[Mapping[str, Any]]) -> None:
        super().__init__("; ".join(_described(error) for error in errors))


class Calls:
    """Calls the API for the caller of an MCP request, and returns the data of the response.

    Args:
        api_of: returns the API for the caller of a request.
    """

    def __init__(self, api_of: ApiOf) -> None:
        self._api_of = api_of

    async def query(self, context: Context, document: str, variables: Variables) -> dict[str, Any]:
        """Execute a query; leave out the variables that are None.

        Raises:
            ApiError: the response has errors.
        """
        api = self._api_of(context.request_context)
        return data_of(await api.query(document, present(variables)))

    async def mutate(self, context: Context, document: str, sent: Variables) -> dict[str, Any]:
        """Execute a mutation with the variable `input`; leave out the fields that are None.

        Raises:
            ApiError: the response has errors.
        """
        api = self._api_of(context.request_context)
        return data_of(await api.mutate(document, {"input": present(sent)}))


def present(values: Mapping[str, object]) -> dict[str, object]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def data_of(response: Response) -> dict[str, Any]:
    """Return the data of a response.

    Raises:
        ApiError: the response has errors.
    """
    if errors := response.get("errors"):
        raise ApiError(errors)
    data: dict[str, Any] = response["data"]
    return data


def _described(error: Mapping[str, Any]) -> str:
    code = error.get("extensions", {}).get("code")
    return f"{code}: {error['message']}" if code else str(error["message"])
