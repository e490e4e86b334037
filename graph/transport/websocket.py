"""GraphQL over WebSocket: the graphql-transport-ws protocol.

The protocol is https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing, suppress
from itertools import count
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from graph.access.caller import NOBODY, Caller
from graph.errors import OperationError, TooCostly, Unavailable
from graph.live.memory import Outlet
from graph.operations.backend import Backend
from graph.request.answer import encode_json
from graph.request.guards import Guards
from graph.request.masking import InternalError, public_failure
from graph.request.pipeline import OperationFailed, OperationRequest, Pipeline
from graph.settings import Settings
from graph.transport.http import RequestRefused, check_request, decode_large_json, is_unicode, operation_request
from graph.transport.open_connections import OpenConnections
from graph.transport.requests import part_of

SUBPROTOCOL = "graphql-transport-ws"

_RESTARTING = 1012
_TRY_AGAIN = 1013
_BAD_REQUEST = 4400
_UNAUTHORIZED = 4401
_FORBIDDEN = 4403
_NO_SUBPROTOCOL = 4406
_NOT_INITIALISED = 4408
_ID_IN_USE = 4409
_TOO_MANY_INITS = 4429
_INTERNAL_ERROR = 4500
_EXPIRED = "the token has expired: connect again with a new one"
_COME_BACK = "the service is restarting: connect again"
_MOST_REASON = 123  # bytes (RFC 6455, section 5.5)
_INIT_SECONDS = 60  # from the handshake until `connection_init`
_TYPES = ("connection_init", "ping", "pong", "subscribe", "complete")
_SHOWN_OF_ID = 20  # characters


class _Gone(Exception):
    """The client has disconnected, or the socket is closed."""


class _Closing(Exception):
    """The client broke the protocol: the connection must be closed.

    Attributes:
        code: the close code of the protocol.
        reason: the reason in the close frame.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class GraphQLSocket:
    """One connection, from its handshake to its end.

    Each operation has its own context, subscribers share results, and every message of a client, even an invalid
    one, gets an answer of the protocol.
    """

    def __init__(self, socket: WebSocket) -> None:
        state = socket.app.state
        self._socket = socket
        self._connections: OpenConnections = state.connections
        self._pipeline: Pipeline = state.pipeline
        self._guards: Guards = state.guards
        self._backend: Backend = state.backend
        self._settings: Settings = state.settings
        self._caller: Caller = NOBODY
        self._initialised = asyncio.Event()
        self._is_acknowledged = False
        self._outlet = Outlet()
        self._numbers = count(1)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._until_closed = ExitStack()

    async def serve(self) -> None:
        """Serve the connection until it is closed."""
        accepted = SUBPROTOCOL if SUBPROTOCOL in self._socket["subprotocols"] else None
        await self._socket.accept(accepted)
        if accepted is None:
            await self.close(_NO_SUBPROTOCOL, f"Subprotocol not acceptable: offer {SUBPROTOCOL}")
            return
        alive = asyncio.create_task(self._keep_alive())
        with self._connections.holding(self), self._until_closed:
            try:
                await self._receive()
            except _Closing as closing:
                await self.close(closing.code, closing.reason)
            except _Gone:
                pass
            except Exception as failure:  # noqa: BLE001 - it is logged
                await self.close(_INTERNAL_ERROR, InternalError.logged(failure, "a WebSocket").message)
            finally:
                await _end([alive, *self._running.values()])

    async def say_goodbye(self) -> None:
        """Close the socket, since the service stops, and ask the client to connect again."""
        await self.close(_RESTARTING, _COME_BACK)

    async def close(self, code: int, reason: str) -> None:
        """Close the socket, if it is open."""
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._socket.close(code, reason.encode(errors="replace")[:_MOST_REASON].decode(errors="ignore"))

    async def _keep_alive(self) -> None:
        """Close a connection that sends no `connection_init` in time; ping the others."""
        try:
            async with asyncio.timeout(_INIT_SECONDS):
                await self._initialised.wait()
        except TimeoutError:
            await self.close(_NOT_INITIALISED, "Connection initialisation timeout")
            return
        with suppress(_Gone):
            while True:
                await asyncio.sleep(self._settings.keep_alive)
                if self._is_acknowledged:
                    await self._send({"type": "ping"})

    async def _receive(self) -> None:
        """Handle each message, until the client disconnects or the socket is closed.

        Raises:
            _Closing: a message breaks the protocol.
        """
        async for message in self._messages():
            kind = message.get("type") if isinstance(message, dict) else None
            if not isinstance(message, dict) or kind not in _TYPES:
                raise _Closing(
                    _BAD_REQUEST, f"a message must be a JSON object with one of the types {', '.join(_TYPES)}"
                )
            if message.get("payload", ...) is None:
                del message["payload"]
            if kind == "connection_init":
                await self._initialise(message)
            elif kind == "ping":
                await self._send({**message, "type": "pong"})  # a pong carries the payload of its ping
            elif kind == "subscribe":
                await self._begin(message)
            elif kind == "complete":
                self._complete(message)

    async def _messages(self) -> AsyncGenerator[Any, None]:
        # Starlette has two signs of the end: `WebSocketDisconnect` when the client disconnects, and a RuntimeError
        # when this side has closed.
        with suppress(WebSocketDisconnect):
            while self._socket.application_state != WebSocketState.DISCONNECTED:
                try:
                    yield await decode_large_json(await self._socket.receive_text(), "The message")
                except KeyError:
                    raise _Closing(_BAD_REQUEST, "the WebSocket message must be text") from None
                except RequestRefused:
                    raise _Closing(_BAD_REQUEST, "the WebSocket message must be valid JSON") from None

    async def _initialise(self, message: dict[str, Any]) -> None:
        """Authenticate the caller, by the payload of `connection_init`, or else by the header of the handshake."""
        payload = message.get("payload", {})
        if not isinstance(payload, dict):
            raise _Closing(_BAD_REQUEST, "the payload of connection_init must be a JSON object")
        if self._initialised.is_set():
            raise _Closing(_TOO_MANY_INITS, "Too many initialisation requests")
        self._initialised.set()
        parameters = {name.lower(): value for name, value in payload.items()}
        authorization = parameters.get("authorization", self._socket.headers.get("authorization"))
        try:
            self._caller = await self._guards.authenticate(authorization if isinstance(authorization, str) else None)
            self._until_closed.enter_context(self._guards.presence.connection(self._caller))
        except (Unavailable, TooCostly) as error:  # the caller can't be authenticated now, or has too many connections
            raise _Closing(_TRY_AGAIN, str(error)) from error
        except OperationError as error:
            raise _Closing(_FORBIDDEN, "Forbidden") from error
        await self._send({"type": "connection_ack"})
        self._is_acknowledged = True

    async def _begin(self, message: dict[str, Any]) -> None:
        """Begin an operation."""
        if not self._is_acknowledged:
            raise _Closing(_UNAUTHORIZED, "Unauthorized")
        if problem := _problem_of(message):
            raise _Closing(_BAD_REQUEST, problem)
        operation_id = message["id"]
        try:
            request = operation_request(message["payload"], self._guards.texts)
        except OperationError as error:
            await self._refuse(operation_id, [public_failure(error, self._caller)])
            return
        if operation_id in self._running:
            raise _Closing(_ID_IN_USE, f"Subscriber for {operation_id[:_SHOWN_OF_ID]} already exists")
        most = self._settings.subscriptions_per_connection
        if len(self._running) >= most:
            refusal = TooCostly(
                f"{most} operations run on this connection, the maximum: complete one, or open another connection",
                setting="RECALLQL_SUBSCRIPTIONS_PER_CONNECTION",
            )
            await self._refuse(operation_id, [public_failure(refusal, self._caller)])
            return
        self._running[operation_id] = asyncio.create_task(self._run(operation_id, request))

    def _complete(self, message: dict[str, Any]) -> None:
        """Cancel an operation at its client's request."""
        operation_id = message.get("id")
        if not isinstance(operation_id, str):
            raise _Closing(_BAD_REQUEST, "complete needs an id, a string")
        if task := self._running.pop(operation_id, None):
            task.cancel()

    async def _run(self, operation_id: str, request: OperationRequest) -> None:
        """Send the results of an operation until its end, or until the client disconnects."""
        with part_of(self._socket.scope, next(self._numbers), self._caller), suppress(_Gone):
            try:
                await self._send_results(operation_id, request)
            except OperationFailed as failure:
                errors = failure.errors
            except _Gone:
                raise
            except Exception as error:  # noqa: BLE001 - the client must know of every error that ends the results
                errors = [public_failure(error, self._caller)]
            else:
                if not self._backend.hub.is_closing:  # else the socket is closed, and the client connects again
                    self._forget(operation_id)
                    await self._send({"id": operation_id, "type": "complete"})
                return
            self._forget(operation_id)
            if self._caller.seconds_left() == 0:
                # An error would end the operation for good; a client that is disconnected begins it again.
                await self.close(_FORBIDDEN, _EXPIRED)
            else:
                await self._refuse(operation_id, errors)

    def _forget(self, operation_id: str) -> None:
        """Free the id, which the client may use again after the last message."""
        if self._running.get(operation_id) is asyncio.current_task():
            del self._running[operation_id]

    async def _send_results(self, operation_id: str, request: OperationRequest) -> None:
        before = f'{{"id":{orjson.dumps(operation_id).decode()},"type":"next","payload":'
        running = self._pipeline.subscribe(request, self._pipeline.context(self._caller), self._outlet)
        async with aclosing(running) as results:
            async for result in results:
                await self._send_text(f"{before}{result.payload}}}")
                del result

    async def _refuse(self, operation_id: str, errors: list[GraphQLError]) -> None:
        """Send the errors of an operation that does not start, or that ends with errors."""
        payload = [error.formatted for error in errors]
        await self._send({"id": operation_id, "type": "error", "payload": payload})

    async def _send(self, message: dict[str, object]) -> None:
        await self._send_text(encode_json(message).decode())

    async def _send_text(self, text: str) -> None:
        """Send one message.

        Raises:
            _Gone: the client has disconnected, or the socket is closed.
        """
        try:
            await self._socket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as gone:
            raise _Gone from gone


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _problem_of(message: dict[str, Any]) -> str | None:
    """Return the error in a subscribe message, or None."""
    payload = message.get("payload")
    if not isinstance(message.get("id"), str) or not message["id"]:
        return "subscribe needs an id, a non-empty string"
    if not is_unicode(message["id"]):
        return "the id has a lone surrogate: send whole Unicode characters"
    if not isinstance(payload, dict):
        return "subscribe needs a payload, a JSON object with a query"
    try:
        check_request(payload)
    except RequestRefused as refusal:
        return str(refusal)
    return None
