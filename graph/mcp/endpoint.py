"""The endpoint `/mcp`: MCP over streamable HTTP.

A request is one POST, authenticated like a GraphQL request. The server keeps no MCP sessions, so that any process can
answer any request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.types.graphql import OperationType

from graph.access.caller import Caller
from graph.errors import BadUserInput, OperationError, Unavailable
from graph.live.memory import Outlet
from graph.operations.concurrency import run_on_thread
from graph.request.guards import Guards
from graph.request.masking import public_failure
from graph.request.pipeline import OperationFailed, OperationRequest, Pipeline
from graph.telemetry.steps import note
from graph.transport import http
from graph.transport.http import RequestRefused
from graph.transport.origins import Origins

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.mcpserver import MCPServer

    from graph.mcp.api import Response, Variables

MAX_BODY = 1_048_576
"""Maximum bytes of a request."""
_COST = 1
"""The cost of a request, to which the cost of its GraphQL operation is added."""


class PipelineApi:
    """The GraphQL API of this process, with the rights of the caller of one HTTP request."""

    def __init__(self, request: Request, caller: Caller) -> None:
        self._pipeline: Pipeline = request.app.state.pipeline
        self._guards: Guards = request.app.state.guards
        self._seconds: float = request.app.state.settings.operation_timeout
        self._caller = caller

    async def query(self, document: str, variables: Variables) -> Response:
        """Execute a query within the time limit of operations."""
        try:
            async with asyncio.timeout(self._seconds or None):
                return await self._execute(document, variables, OperationType.QUERY)
        except TimeoutError:
            late = Unavailable(f"the operation took longer than {self._seconds:g} seconds: request less, or try again")
            return {"errors": [public_failure(late, self._caller).formatted]}

    async def mutate(self, document: str, variables: Variables) -> Response:
        """Execute a mutation, which has a time limit of its own."""
        return await self._execute(document, variables, OperationType.MUTATION)

    async def _execute(self, document: str, variables: Variables, kind: OperationType) -> Response:
        asked = OperationRequest(document, dict(variables))
        return (await self._pipeline.execute(asked, self._pipeline.context(self._caller), {kind})).formatted()

    async def follow(self, document: str, variables: Variables) -> AsyncGenerator[Response, None]:
        """Yield the results of a subscription; a refusal is one result with errors."""
        asked = OperationRequest(document, dict(variables))
        try:
            running = self._pipeline.subscribe(asked, self._pipeline.context(self._caller), Outlet())
            async with aclosing(running) as results:
                async for result in results:
                    yield orjson.loads(result.payload)
        except OperationFailed as failure:
            yield {"errors": [error.formatted for error in failure.errors]}

    @contextmanager
    def open_stream(self) -> Iterator[None]:
        """Count a stream of the caller for the length of a block.

        Raises:
            ApiError: the caller has the maximum number open.
        """
        from graph.mcp.api import ApiError  # noqa: PLC0415 - its module imports the SDK

        with ExitStack() as held:
            try:
                held.enter_context(self._guards.presence.connection(self._caller))
            except OperationError as error:
                raise ApiError([public_failure(error, self._caller).formatted]) from error
            yield


class MCPEndpoint:
    """Authenticates the caller and gives the request to the MCP server, which the first request loads.

    Args:
        seconds: maximum time until the body of a request has arrived; 0 disables the limit.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._app: asyncio.Future[ASGIApp] | None = None
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        note(protocol="mcp")
        with suppress(ClientDisconnect):
            try:
                caller = await _caller_of(request)
                body = await http.read_body(request, limit=MAX_BODY, seconds=self._seconds)
            except (RequestRefused, OperationError) as error:
                refusal = error if isinstance(error, RequestRefused) else http.refused(error)
                await http.refusal_response(refusal, media_type=http.JSON_TYPE)(scope, receive, send)
                return
            request.state.api = PipelineApi(request, caller)
            app = await self._loaded()
            await app(_trimmed(scope), _replay(bytes(body), receive), _with_own_headers(send))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Stop the MCP server at the end of the block, if a request has loaded it."""
        try:
            yield
        finally:
            if self._running is not None:
                self._running.cancel()
                await asyncio.wait([self._running])

    async def _loaded(self) -> ASGIApp:
        if self._app is None or (self._app.done() and self._app.exception() is not None):
            self._app = asyncio.get_running_loop().create_future()
            self._running = asyncio.create_task(_run(self._app))
        return await asyncio.shield(self._app)


async def _run(app: asyncio.Future[ASGIApp]) -> None:
    """Load the MCP server and run it until the task is cancelled; its task group must end in this task."""
    try:
        server = await run_on_thread(_load)
        async with server.session_manager.run():
            app.set_result(server.session_manager.handle_request)
            await asyncio.Event().wait()
    except Exception as error:  # noqa: BLE001 - the requests that wait get the error
        app.set_exception(error)


def _load() -> MCPServer:
    """Import the SDK, which takes 0.7 seconds and 45 MiB: a process without a request to `/mcp` does without it."""
    from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415 - loaded when needed

    from graph.mcp.server import create_server  # noqa: PLC0415 - loaded when needed

    server = create_server(_api_of)
    server.streamable_http_app(  # creates the session manager, which is all that is used of the application
        stateless_http=True,
        max_request_body_size=MAX_BODY,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # `Origins` decides
    )
    return server


def _api_of(context: ServerRequestContext[Any, Any]) -> PipelineApi:
    request: Request | None = context.request
    assert request is not None  # noqa: S101 - streamable HTTP has one
    api: PipelineApi = request.state.api
    return api


async def _caller_of(request: Request) -> Caller:
    """Return the caller of a request.

    Raises:
        RequestRefused: the method is not POST.
        Unauthenticated: the credentials are missing or wrong.
        Forbidden: the request comes from a page of an origin that is not allowed.
        TooCostly: the caller's budget is spent.
    """
    if request.method != "POST":
        raise RequestRefused(BadUserInput("send each MCP message with POST"), 405, {"Allow": "POST"})
    origins: Origins = request.app.state.origins
    origins.require_allowed(request.headers)
    guards: Guards = request.app.state.guards
    caller = await guards.authenticate(request.headers.get("authorization"))
    await guards.budgets.spend(caller, _COST)
    return caller


def _trimmed(scope: Scope) -> Scope:
    """Return a scope without white space around its headers' values, which are no part of them (RFC 9110, 5.5)."""
    return {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}


def _with_own_headers(send: Send) -> Send:
    """Return a `send` that copies the headers: the SDK has one list for all streams, and middleware adds to a list."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": list(message["headers"])}
        await send(message)

    return sent


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that returns the body that was read, then the next messages."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received
