"""GraphQL over WebSocket: the graphql-transport-ws protocol.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md is the source of the rules here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, aclosing, contextmanager, suppress
from typing import Any
from uuid import uuid4

import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from graph.access.caller import NOBODY, Caller
from graph.errors import OperationError, TooCostly, Unavailable
from graph.live.memory import Outlet
from graph.operations.backend import Backend
from graph.request.answer import encode_json
from graph.request.guards import Guards
from graph.request.masking import public_failure
from graph.request.pipeline import OperationFailed, OperationRequest, Pipeline
from graph.transport.http import RequestRefused, check_request, decode_large_json, is_unicode, operation_request

logger = logging.getLogger(__name__)

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
_COME_BACK = "the service is restarting: connect again"
_MOST_REASON = 123  # bytes, as RFC 6455 has it
_INIT_SECONDS = 60  # from the handshake until the client has said who it is
_CLOSE_SECONDS = 0.5  # for a close frame to be written: a client that reads nothing does not hold up the end
_TYPES = ("connection_init", "ping", "pong", "subscribe", "complete")
_SHOWN_OF_ID = 20  # characters


class _Gone(Exception):
    """The client is gone, or the socket is closed."""


class _Closing(Exception):
    """The connection is to be closed, for what the client sent.

    Attributes:
        code: the close code of the protocol.
        reason: why.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class OpenSockets:
    """The connections of a process, so that a stop can say goodbye to each."""

    def __init__(self) -> None:
        self._open: set[GraphQLSocket] = set()

    @contextmanager
    def holding(self, connection: GraphQLSocket) -> Iterator[None]:
        """Count a connection among them for the length of a block."""
        self._open.add(connection)
        try:
            yield
        finally:
            self._open.discard(connection)

    async def close(self) -> None:
        """Close all of them, since the service stops: their clients are to connect again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await asyncio.gather(*(connection.close(_RESTARTING, _COME_BACK) for connection in self._open))


class GraphQLSocket:
    """One connection, from its handshake to its end.

    Each operation has a context of its own, subscribers share results, and every message that a client may send gets
    an answer that the protocol knows.
    """

    def __init__(self, socket: WebSocket) -> None:
        state = socket.app.state
        self._socket = socket
        self._sockets: OpenSockets = state.sockets
        self._pipeline: Pipeline = state.pipeline
        self._guards: Guards = state.guards
        self._backend: Backend = state.backend
        self._caller: Caller = NOBODY
        self._initialised = asyncio.Event()
        self._is_acknowledged = False
        self._outlet = Outlet()
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
        with self._sockets.holding(self), self._until_closed:
            try:
                await self._receive()
            except _Closing as closing:
                await self.close(closing.code, closing.reason)
            except _Gone:
                pass
            except Exception:
                error_id = uuid4().hex
                logger.exception("error %s on a WebSocket", error_id)
                await self.close(_INTERNAL_ERROR, f"Something went wrong: {error_id}")
            finally:
                await _end([alive, *self._running.values()])

    async def close(self, code: int, reason: str) -> None:
        """Close the socket; does nothing when it is closed."""
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._socket.close(code, reason.encode(errors="replace")[:_MOST_REASON].decode(errors="ignore"))

    async def _keep_alive(self) -> None:
        """Close a connection whose client does not say who it is; ping the others."""
        try:
            async with asyncio.timeout(_INIT_SECONDS):
                await self._initialised.wait()
        except TimeoutError:
            await self.close(_NOT_INITIALISED, "Connection initialisation timeout")
            return
        with suppress(_Gone):
            while True:
                await asyncio.sleep(self._backend.settings.keep_alive)
                if self._is_acknowledged:
                    await self._send({"type": "ping"})

    async def _receive(self) -> None:
        """Act on each message that comes, until the client is gone or the socket closed.

        Raises:
            _Closing: a message is not one that the protocol has.
        """
        async for message in self._messages():
            kind = message.get("type") if isinstance(message, dict) else None
            if not isinstance(message, dict) or kind not in _TYPES:
                raise _Closing(_BAD_REQUEST, f"A message is a JSON object, and its type {', '.join(_TYPES)}")
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
        # Starlette has two signs that no more come: `WebSocketDisconnect` when the client goes, and a RuntimeError
        # when this side has closed.
        with suppress(WebSocketDisconnect):
            while self._socket.application_state != WebSocketState.DISCONNECTED:
                try:
                    yield await decode_large_json(await self._socket.receive_text(), "The message")
                except KeyError:
                    raise _Closing(_BAD_REQUEST, "WebSocket message type must be text") from None
                except RequestRefused:
                    raise _Closing(_BAD_REQUEST, "WebSocket message must be valid JSON") from None

    async def _initialise(self, message: dict[str, Any]) -> None:
        """Find out who connects: from the message's payload, or from the header where that has nothing."""
        payload = message.get("payload", {})
        if not isinstance(payload, dict):
            raise _Closing(_BAD_REQUEST, "Invalid connection init payload")
        if self._initialised.is_set():
            raise _Closing(_TOO_MANY_INITS, "Too many initialisation requests")
        self._initialised.set()
        parameters = {name.lower(): value for name, value in payload.items()}
        given = parameters.get("authorization", self._socket.headers.get("authorization"))
        try:
            self._caller = await self._guards.authenticate(given if isinstance(given, str) else None)
            self._until_closed.enter_context(self._guards.presence.connection(self._caller))
        except (Unavailable, TooCostly) as error:  # who it is can't be said now, or it has too many connections
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
        most = self._backend.settings.subscriptions_per_connection
        if len(self._running) >= most:
            refusal = TooCostly(
                f"{most} operations run on this connection, which is the maximum: complete one, or open another one",
                setting="RECALLQL_SUBSCRIPTIONS_PER_CONNECTION",
            )
            await self._refuse(operation_id, [public_failure(refusal, self._caller)])
            return
        self._running[operation_id] = asyncio.create_task(self._run(operation_id, request))

    def _complete(self, message: dict[str, Any]) -> None:
        """End an operation whose results the client no longer wants."""
        operation_id = message.get("id")
        if not isinstance(operation_id, str):
            raise _Closing(_BAD_REQUEST, "complete needs an id, a string")
        if task := self._running.pop(operation_id, None):
            task.cancel()

    async def _run(self, operation_id: str, request: OperationRequest) -> None:
        """Send the results of an operation until it is done, or the client is gone."""
        with suppress(_Gone):
            try:
                await self._send_results(operation_id, request)
            except OperationFailed as failure:
                errors = failure.errors
            except _Gone:
                raise
            except Exception as error:  # noqa: BLE001 - of any kind: the client is to know that no more comes
                errors = [public_failure(error, self._caller)]
            else:
                if not self._backend.hub.is_closing:  # else the socket is closed, and the client comes back
                    self._forget(operation_id)
                    await self._send({"id": operation_id, "type": "complete"})
                return
            self._forget(operation_id)
            await self._refuse(operation_id, errors)

    def _forget(self, operation_id: str) -> None:
        """Let the client use the id again, which it may as soon as it has the last message."""
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
        """Answer an operation that does not begin, or that ends with errors."""
        payload = [error.formatted for error in errors]
        await self._send({"id": operation_id, "type": "error", "payload": payload})

    async def _send(self, message: dict[str, object]) -> None:
        await self._send_text(encode_json(message).decode())

    async def _send_text(self, text: str) -> None:
        """Send one message.

        Raises:
            _Gone: the client is gone, or the socket is closed.
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
    """What is wrong with a subscribe message."""
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
