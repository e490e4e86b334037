"""GraphQL over HTTP, as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
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
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.streaming import AsyncTextStream, HTTPStreamTransport, merge_stream_with_heartbeat
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.subscriptions import (
    GRAPHQL_SSE_PROTOCOL,
    GRAPHQL_TRANSPORT_WS_PROTOCOL,
    MULTIPART_SUBSCRIPTION_PROTOCOL,
)
from strawberry.types import ExecutionResult, SubscriptionExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET, UnsetType

from graph.access.caller import NOBODY
from graph.errors import BadUserInput, ErrorCode, OperationError, Unavailable
from graph.explorer import explorer_response
from graph.operations.backend import Backend
from graph.schema.build import build_schema
from graph.schema.context import Context
from graph.settings import Settings
from graph.transport import http
from graph.transport.http import RequestRefused
from graph.transport.shared import Operation, OperationFailed
from graph.transport.streams import EventStream, MultipartStream
from graph.transport.websocket import TransportWSHandler

log = logging.getLogger("recallql")


class GraphQLView(GraphQL[Context, None]):
    """The `/graphql` endpoint."""

    graphql_transport_ws_handler_class = TransportWSHandler
    stream_transport_classes_by_protocol: ClassVar[dict[str, type[HTTPStreamTransport]]] = {  # type: ignore[misc]
        GRAPHQL_SSE_PROTOCOL: EventStream,
        MULTIPART_SUBSCRIPTION_PROTOCOL: MultipartStream,
    }

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__(
            build_schema(),
            allowed_origins=settings.allowed_origins,
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
            if "text/html" in accept and self._settings.explorer and http.asks_for_nothing(request):
                return explorer_response()
            return await self.run(request)
        except RequestRefused as refusal:
            return http.refusal_response(refusal, media_type=media_type)
        except OperationError as error:
            return http.refusal_response(http.refused(error), media_type=media_type)
        except HTTPException as error:
            return http.refusal_response(_strawberrys_refusal(error), media_type=media_type)
        except ClientDisconnect:
            raise
        except Exception:
            error_id = uuid4().hex
            log.exception("error %s in the answer to a request", error_id)
            message = f"Something went wrong here; the service's log has it under {error_id}"
            masked = {"message": message, "extensions": {"code": ErrorCode.INTERNAL.value, "id": error_id}}
            return http.json_response({"errors": [masked]}, media_type=media_type, status=500)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """The context of one request, with its caller; of a WebSocket, before it says who it is."""
        backend: Backend = request.app.state.backend
        if isinstance(request, WebSocket):
            return Context(backend, NOBODY.scope, request, response, caller=NOBODY)
        caller = await backend.authenticator.authenticate(backend.database, request.headers.get("authorization"))
        return Context(backend, caller.scope, request, response, caller=caller)

    async def on_ws_connect(self, context: Context) -> UnsetType:
        """Find out who opened a WebSocket: from its `connection_init`, or from its header where that has nothing."""
        parameters: dict[str, Any] = {name.lower(): value for name, value in (context.connection_params or {}).items()}
        given = parameters.get("authorization", context.request.headers.get("authorization"))
        backend = context.backend
        try:
            context.identify(
                await backend.authenticator.authenticate(backend.database, given if isinstance(given, str) else None)
            )
        except OperationError as error:
            raise ConnectionRejectionError from error
        nothing_to_say: UnsetType = UNSET
        return nothing_to_say

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """The operation that the request asks for."""
        raw: Request = request._request  # type: ignore[attr-defined]  # noqa: SLF001 - the adapter has no stream
        if raw.method == "GET":
            if not self._settings.get_queries:
                raise RequestRefused(BadUserInput("Send the operation with POST"), 405, {"Allow": "POST"})
            data = http.read_query_parameters(raw.query_params)
        else:
            data = await http.read_json_body(
                raw, limit=self._settings.body_limit, seconds=self._settings.request_timeout
            )
        data = http.check_request(data)
        backend: Backend = raw.app.state.backend
        transport = self._stream_asked_for(raw.headers.get("accept", ""))
        return GraphQLRequestData(
            query=http.operation_text(data, backend.trusted),
            variables=data.get("variables"),
            operation_name=data.get("operationName") or None,
            extensions=data.get("extensions"),
            protocol=transport.protocol if transport else "http",
        )

    @lru_cache(maxsize=256)  # noqa: B019 - a process has one view
    def _stream_asked_for(self, accept: str) -> HTTPStreamTransport | None:
        return self._get_stream_transport_from_headers({"accept": accept})

    async def execute_operation(
        self, request: Request, request_adapter: AsyncHTTPRequestAdapter, *given: Any, **named: Any
    ) -> ExecutionResult | list[ExecutionResult] | SubscriptionExecutionResult:
        """The result, unless the client goes away before it is there: then its work is cancelled.

        Where the client asks for a stream, it is one of results as JSON.
        """
        data: GraphQLRequestData = named["request_data"]
        transport = self._get_stream_transport(data.protocol)
        if transport is not None:
            allowed = transport.allowed_operation_types(OperationType.from_http(request_adapter.method))
            options = {"operation_extensions": data.extensions, "allowed_operation_types": allowed}
            operation = Operation(
                self.schema, named["context"], data.query or "", data.variables, data.operation_name, options
            )
            return cast("SubscriptionExecutionResult", operation.results())
        work = asyncio.ensure_future(super().execute_operation(request, request_adapter, *given, **named))
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            seconds = self._settings.operation_timeout or None
            await asyncio.wait({work, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if named["context"].changes:
                await asyncio.wait({work})  # a change is carried through: it is all or nothing, and has a deadline
            if not work.done() and gone.done():
                raise ClientDisconnect
            if not work.done():
                message = f"the operation took longer than {seconds:g} seconds, and was given up"
                raise Unavailable(message)
            return work.result()
        finally:
            gone.cancel()
            work.cancel()

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """The answer of a result: without `data` where nothing was executed."""
        answer = await super().process_result(request, result)
        if result.data is None and result.errors and all(error.path is None for error in result.errors):
            answer.pop("data", None)
        return answer

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """Where resolvers could set headers; it carries the media type that the caller prefers."""
        sub_response = await super().get_sub_response(request)
        sub_response.media_type = http.response_type(request.headers.get("accept", ""))
        return sub_response

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """The answer as JSON. Only here as bytes: a WebSocket would send them as a binary frame."""
        assert isinstance(response_data, dict)  # noqa: S101 - batches are refused
        media_type = sub_response.media_type or http.JSON_TYPE
        # What the specification asks for: the older media type says 200 whatever became of a well-formed request.
        status = 400 if media_type == http.GRAPHQL_TYPE and "data" not in response_data else 200
        headers = {}
        if seconds := http.retry_after(response_data):
            status, headers = HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(seconds)}
        response = http.json_response(response_data, media_type=media_type, status=status, headers=headers)
        response.headers.raw.extend(sub_response.headers.raw)
        return response

    def _stream_result(self, request: Request, result: Any, transport: HTTPStreamTransport) -> AsyncTextStream:
        assert isinstance(transport, EventStream | MultipartStream)  # noqa: S101 - those that `__init__` names
        hub = request.app.state.backend.hub

        async def stream() -> AsyncGenerator[str, None]:
            async with aclosing(result):
                try:
                    async for payload in result:
                        yield transport.encode_payload(payload)
                except OperationFailed as failure:
                    errors = [error.formatted for error in failure.errors]
                    yield transport.encode_payload(http.encode_json({"errors": errors}).decode())
            if not hub.is_closing:  # else the client is to come back, to this process's successor
                yield transport.encode_complete()

        return merge_stream_with_heartbeat(
            stream,
            lambda: transport.heartbeat_message(str),
            interval=min(transport.heartbeat_interval, request.app.state.backend.settings.keep_alive),
            send_initial_heartbeat=transport.send_initial_heartbeat,
        )

    def decode_json(self, data: str | bytes) -> object:
        """A message of a WebSocket."""
        try:
            return json.loads(data)
        except RecursionError:
            raise json.JSONDecodeError("nested too deep", "", 0) from None

    def should_render_graphql_ide(self, request: Any) -> bool:  # noqa: ARG002
        """Never from here: `_respond` sends the explorer before anything else is looked at."""
        return False


async def _disconnected(request: Request) -> None:
    """Return when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _strawberrys_refusal(error: HTTPException) -> RequestRefused:
    if isinstance(error.__cause__, InvalidOperationTypeError):
        if error.__cause__.operation_type is OperationType.SUBSCRIPTION:
            message = "A subscription needs a transport that streams: a WebSocket, or Accept: text/event-stream"
            return RequestRefused(BadUserInput(message), 400)
        # A GET may be repeated, prefetched and linked to, so it never changes anything.
        return RequestRefused(BadUserInput("GET is for queries: send a mutation with POST"), 405, {"Allow": "POST"})
    headers = {"Allow": "GET, POST"} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else {}
    return RequestRefused(BadUserInput(error.reason), error.status_code, headers)
