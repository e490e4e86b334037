"""The `/graphql` endpoint: GraphQL over HTTP, its streams and lines, and over WebSocket, as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.types.graphql import OperationType

from graph.access.caller import Caller
from graph.errors import BadUserInput, OperationError
from graph.explorer import explorer_response
from graph.live.memory import Outlet
from graph.operations.backend import Backend
from graph.request.answer import Result, encode_json
from graph.request.documents import WrongKind
from graph.request.guards import Guards
from graph.request.masking import InternalError, public_failure
from graph.request.pipeline import OperationFailed, OperationRequest, Pipeline
from graph.settings import Settings
from graph.telemetry.steps import INTERNAL, fail, note
from graph.transport import http
from graph.transport.http import RequestRefused
from graph.transport.lines import Lines
from graph.transport.streams import StreamProtocol, stream_asked_for, with_heartbeats
from graph.transport.watch import Watch
from graph.transport.websocket import GraphQLSocket

_KINDS = {
    "GET": frozenset({OperationType.QUERY}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
}
"""The kinds of operation with one answer that each HTTP method may send."""


class GraphQLEndpoint:
    """Authenticates the caller, reads the operation, and executes it with the pipeline of the process.

    Args:
        settings: the limits of requests, and the kinds of authentication.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or serve one WebSocket."""
        if scope["type"] == "websocket":
            await GraphQLSocket(WebSocket(scope, receive, send)).serve()
            return
        request = Request(scope, receive)
        with suppress(ClientDisconnect):
            response = await self._respond(request)
            await response(scope, receive, send)

    async def _respond(self, request: Request) -> ASGIApp:
        accept = request.headers.get("accept", "")
        note(protocol="graphql")
        media_type = http.response_type(accept)
        try:
            if "text/html" in accept and self._settings.explorer and http.opens_page(request):
                return explorer_response(console=self._settings.console)
            if request.method == "POST" and Lines.asked_for(request):
                guards: Guards = request.app.state.guards
                caller = await guards.authenticate(request.headers.get("authorization"))
                note(kind="lines")
                return Lines(request, caller)
            protocol = stream_asked_for(accept)
            caller, asked = await self._asked(request)
            if protocol is None:
                return await _answer(request, caller, asked, media_type, self._settings.operation_timeout)
            return _stream(request, caller, asked, protocol, self._settings.keep_alive)
        except RequestRefused as error:
            refusal = error
        except OperationError as error:
            refusal = http.refused(error)
        except ClientDisconnect:
            raise
        except Exception as failure:  # noqa: BLE001 - it is logged
            internal = InternalError.logged(failure, "the answer to a request")
            fail(INTERNAL)
            masked = {"message": internal.message, "extensions": internal.extensions}
            return http.json_response({"errors": [masked]}, media_type=media_type, status=500)
        return http.refusal_response(refusal, media_type=media_type)

    async def _asked(self, request: Request) -> tuple[Caller, OperationRequest]:
        """Return the caller and the operation of a request."""
        guards: Guards = request.app.state.guards
        caller = await guards.authenticate(request.headers.get("authorization"))
        if request.method not in _KINDS:
            raise RequestRefused(BadUserInput("the method must be GET or POST"), 405, {"Allow": "GET, POST"})
        if request.method == "GET":
            if not self._settings.get_queries:
                raise RequestRefused(BadUserInput("send the operation with POST"), 405, {"Allow": "POST"})
            data = http.read_query_parameters(request.query_params)
        else:
            data = await http.read_json_body(
                request, limit=self._settings.body_limit, seconds=self._settings.request_timeout
            )
        data = http.check_request(data)
        return caller, http.operation_request(data, guards.texts, reports_cost=http.COST_HEADER in request.headers)


async def _answer(
    request: Request, caller: Caller, asked: OperationRequest, media_type: str, seconds: float
) -> Response:
    """Execute an operation that has one answer, a query within a time; return the response."""
    pipeline: Pipeline = request.app.state.pipeline
    context = pipeline.context(caller)
    try:
        async with Watch(request, context, seconds):
            answer = await pipeline.execute(asked, context, _KINDS[request.method])
    except WrongKind as error:
        raise _wrong_kind(error.kind) from error
    return http.answer_response(answer, media_type=media_type)


def _wrong_kind(kind: OperationType) -> RequestRefused:
    if kind is OperationType.SUBSCRIPTION:
        message = "a subscription needs a streaming transport: use a WebSocket, or send Accept: text/event-stream"
        return RequestRefused(BadUserInput(message), 400)
    # Browsers and proxies repeat and prefetch GET requests, so a GET never changes data.
    return RequestRefused(BadUserInput("GET is for queries: send a mutation with POST"), 405, {"Allow": "POST"})


def _stream(
    request: Request, caller: Caller, asked: OperationRequest, protocol: StreamProtocol, keep_alive: float
) -> Response:
    """Return a response that streams the results of an operation, with at most `keep_alive` seconds between chunks."""
    body = with_heartbeats(
        _chunks(request, caller, asked, protocol),
        protocol.heartbeat,
        min(protocol.heartbeat_interval, keep_alive),
        at_once=protocol.begins_with_heartbeat,
    )
    return StreamingResponse(body, headers=protocol.headers)


async def _chunks(
    request: Request, caller: Caller, asked: OperationRequest, protocol: StreamProtocol
) -> AsyncGenerator[str, None]:
    pipeline: Pipeline = request.app.state.pipeline
    guards: Guards = request.app.state.guards
    backend: Backend = request.app.state.backend
    resume_after = request.headers.get("last-event-id") if protocol.resumes else None
    try:
        with guards.presence.connection(caller):
            running = pipeline.subscribe(
                asked,
                pipeline.context(caller),
                Outlet(),
                kinds=protocol.kinds(request.method),
                resume_after=resume_after,
            )
            async with aclosing(running) as results:
                async for result in results:
                    chunk = [protocol.encode(result)]
                    del result
                    yield chunk.pop()
    except OperationFailed as failure:
        errors = failure.errors
    except OperationError as error:
        errors = [public_failure(error, caller)]
    else:
        errors = []
    if errors:
        failed = {"errors": [error.formatted for error in errors]}
        yield protocol.encode(Result(encode_json(failed).decode()))
    if not backend.hub.is_closing:  # without `end`, the client connects again, to the next process
        yield protocol.end()
