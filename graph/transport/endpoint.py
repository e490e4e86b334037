"""GraphQL over HTTP, as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any, ClassVar, cast
from uuid import uuid4

from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLRequestData
from strawberry.http.streaming import AsyncTextStream, HTTPStreamTransport
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import (
    GRAPHQL_SSE_PROTOCOL,
    GRAPHQL_TRANSPORT_WS_PROTOCOL,
    MULTIPART_SUBSCRIPTION_PROTOCOL,
)
from strawberry.types import SubscriptionExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET, UnsetType

from graph.access.caller import NOBODY
from graph.errors import BadUserInput, ErrorCode, OperationError, Unavailable
from graph.explorer import explorer_response
from graph.operations.backend import Backend
from graph.request.guards import Guards
from graph.schema.build import build_schema
from graph.schema.context import Context
from graph.settings import Settings
from graph.transport import http
from graph.transport.http import RequestRefused
from graph.transport.streams import EventStream, MultipartStream, with_heartbeats
from graph.transport.subscriptions import Operation, OperationFailed, Result
from graph.transport.watch import Watch
from graph.transport.websocket import Connection, TransportWSHandler

logger = logging.getLogger(__name__)


_KINDS = {
    "GET": frozenset({OperationType.QUERY}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
}
"""The kinds of operation that have one answer, by the methods that may ask for them."""


class GraphQLView(GraphQL[Context, None]):
    """The `/graphql` endpoint."""

    graphql_transport_ws_handler_class = TransportWSHandler
    websocket_adapter_class = Connection
    stream_transport_classes_by_protocol: ClassVar[dict[str, type[HTTPStreamTransport]]] = {  # type: ignore[misc]
        GRAPHQL_SSE_PROTOCOL: EventStream,
        MULTIPART_SUBSCRIPTION_PROTOCOL: MultipartStream,
    }

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__(
            build_schema(),
            allowed_origins=["*"],  # `CheckOrigins` stands before
            subscription_protocols=(
                GRAPHQL_TRANSPORT_WS_PROTOCOL,
                GRAPHQL_SSE_PROTOCOL,
                MULTIPART_SUBSCRIPTION_PROTOCOL,
            ),
        )

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or serve one WebSocket."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        with suppress(ClientDisconnect):
            response = await self._respond(request)
            await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        media_type = http.response_type(accept)
        try:
            if "text/html" in accept and self._settings.explorer and http.opens_page(request):
                return explorer_response()
            if self._stream_asked_for(accept) is not None:
                return await self.run(request)
            return await self._answer(request, media_type)
        except RequestRefused as error:
            refusal = error
        except OperationError as error:
            refusal = http.refused(error)
        except HTTPException as error:
            refusal = _refused_by_strawberry(error)
        except ClientDisconnect:
            raise
        except Exception:
            error_id = uuid4().hex
            logger.exception("error %s in the answer to a request", error_id)
            message = f"Something went wrong here; the service's log has it under {error_id}"
            masked = {"message": message, "extensions": {"code": ErrorCode.INTERNAL.value, "id": error_id}}
            return http.json_response({"errors": [masked]}, media_type=media_type, status=500)
        return http.refusal_response(refusal, media_type=media_type)

    async def _answer(self, request: Request, media_type: str) -> Response:
        """Execute one operation that has one answer, without the view that Strawberry has for all kinds."""
        context = await self.get_context(request)
        if request.method not in _KINDS:
            raise RequestRefused(BadUserInput("GraphQL is served to GET and POST"), 405, {"Allow": "GET, POST"})
        asked = await self._asked(request)
        try:
            async with Watch(request, context):
                result = await self.schema.execute(
                    asked.query,
                    variable_values=asked.variables,
                    context_value=context,
                    operation_name=asked.operation_name,
                    allowed_operation_types=_KINDS[request.method],
                    operation_extensions=asked.extensions,
                )
        except CannotGetOperationTypeError as error:
            raise RequestRefused(BadUserInput(error.as_http_error_reason()), 400) from error
        except InvalidOperationTypeError as error:
            raise _wrong_kind(error) from error
        return http.result_response(result, media_type=media_type)

    async def get_context(self, request: Request | WebSocket, response: object = None) -> Context:  # noqa: ARG002
        """The context of one request, with its caller; of a WebSocket, before it says who it is."""
        backend: Backend = request.app.state.backend
        guards: Guards = request.app.state.guards
        if isinstance(request, WebSocket):
            return Context(backend, guards, NOBODY.scope, request, caller=NOBODY)
        caller = await guards.authenticate(request.headers.get("authorization"))
        return Context(backend, guards, caller.scope, request, caller=caller)

    async def on_ws_connect(self, context: Context) -> UnsetType:
        """Find out who opened a WebSocket: from its `connection_init`, or from its header where that has nothing.

        Raises:
            ConnectionRejectionError: it is not allowed in.
            Unavailable: what is needed to check it can't be reached.
        """
        parameters: dict[str, Any] = {name.lower(): value for name, value in (context.connection_params or {}).items()}
        given = parameters.get("authorization", context.request.headers.get("authorization"))
        try:
            context.identify(await context.guards.authenticate(given if isinstance(given, str) else None))
        except Unavailable:
            raise  # who it is can't be said now: the client is to try again
        except OperationError as error:
            raise ConnectionRejectionError from error
        assert context.until_closed is not None  # noqa: S101 - the handler's
        context.until_closed.enter_context(context.guards.presence.connection(context.caller))
        nothing_to_say: UnsetType = UNSET
        return nothing_to_say

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """The operation whose results the client wants as a stream."""
        raw: Request = request._request  # type: ignore[attr-defined]  # noqa: SLF001 - the adapter has no stream
        transport = self._stream_asked_for(raw.headers.get("accept", ""))
        assert transport is not None  # noqa: S101 - others are answered without Strawberry's view
        return replace(await self._asked(raw), protocol=transport.protocol)

    async def _asked(self, request: Request) -> GraphQLRequestData:
        """The operation that the request asks for."""
        if request.method == "GET":
            if not self._settings.get_queries:
                raise RequestRefused(BadUserInput("Send the operation with POST"), 405, {"Allow": "POST"})
            data = http.read_query_parameters(request.query_params)
        else:
            data = await http.read_json_body(
                request, limit=self._settings.body_limit, seconds=self._settings.request_timeout
            )
        data = http.check_request(data)
        guards: Guards = request.app.state.guards
        return GraphQLRequestData(
            query=guards.texts.text_of(data),
            variables=data.get("variables"),
            operation_name=data.get("operationName") or None,
            extensions=data.get("extensions"),
            protocol="http",
        )

    @lru_cache(maxsize=256)  # noqa: B019 - a process has one view
    def _stream_asked_for(self, accept: str) -> HTTPStreamTransport | None:
        return self._get_stream_transport_from_headers({"accept": accept})

    async def execute_operation(self, *_given: object, **named: Any) -> SubscriptionExecutionResult:
        """The stream of results, as JSON, that the client asks for."""
        data: GraphQLRequestData = named["request_data"]
        transport = self._get_stream_transport(data.protocol)
        assert transport is not None  # noqa: S101 - others are answered without Strawberry's view
        allowed = transport.allowed_operation_types(OperationType.from_http(named["request_adapter"].method))
        options = {"operation_extensions": data.extensions, "allowed_operation_types": allowed}
        operation = Operation(
            self.schema, named["context"], data.query or "", data.variables, data.operation_name, options
        )
        if isinstance(transport, EventStream):
            operation.resume_after = named["context"].request.headers.get("last-event-id")
        return cast("SubscriptionExecutionResult", operation.streamed())

    def _stream_result(self, request: Request, result: Any, transport: HTTPStreamTransport) -> AsyncTextStream:
        assert isinstance(transport, EventStream | MultipartStream)  # noqa: S101 - those that `__init__` names
        backend: Backend = request.app.state.backend

        async def chunks() -> AsyncGenerator[str, None]:
            async with aclosing(result):
                try:
                    async for one in result:
                        chunk = [transport.encode_result(one)]
                        del one
                        yield chunk.pop()
                except OperationFailed as failure:
                    errors = [error.formatted for error in failure.errors]
                    yield transport.encode_result(Result(http.encode_json({"errors": errors}).decode(), None))
            if not backend.hub.is_closing:  # else the client is to come back, to this process's successor
                yield transport.encode_complete()

        return lambda: with_heartbeats(
            chunks(),
            transport.heartbeat_message(str),
            min(transport.heartbeat_interval, backend.settings.keep_alive),
            at_once=transport.send_initial_heartbeat,
        )

    def should_render_graphql_ide(self, request: object) -> bool:  # noqa: ARG002
        """Never from here: `_respond` sends the explorer before anything else is looked at."""
        return False


def _refused_by_strawberry(error: HTTPException) -> RequestRefused:
    headers = {"Allow": "GET, POST"} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else {}
    return RequestRefused(BadUserInput(error.reason), error.status_code, headers)


def _wrong_kind(error: InvalidOperationTypeError) -> RequestRefused:
    if error.operation_type is OperationType.SUBSCRIPTION:
        message = "A subscription needs a transport that streams: a WebSocket, or Accept: text/event-stream"
        return RequestRefused(BadUserInput(message), 400)
    # A GET may be repeated, prefetched and linked to, so it never changes anything.
    return RequestRefused(BadUserInput("GET is for queries: send a mutation with POST"), 405, {"Allow": "POST"})
