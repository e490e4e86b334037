"""GraphQL over WebSocket: the graphql-transport-ws protocol.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md is the source of the rules here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import ExitStack, aclosing, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from typing import Any, cast
from uuid import uuid4

import orjson
from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import Operation as _Operation

from graph.errors import OperationError, TooCostly, Unavailable
from graph.live.memory import Outlet
from graph.request.masking import public_failure
from graph.schema.context import Context
from graph.transport.http import RequestRefused, check_request, decode_large_json, encode_json, is_unicode
from graph.transport.subscriptions import Operation, OperationFailed

logger = logging.getLogger(__name__)

_RESTARTING = 1012
_TRY_AGAIN = 1013
_INTERNAL_ERROR = 4500
_COME_BACK = "the service is restarting: connect again"
_MOST_REASON = 123  # bytes, as RFC 6455 has it
_CLOSE_SECONDS = 0.5  # for a close frame to be written: a client that reads nothing does not hold up the end
_TYPES = ("connection_init", "ping", "pong", "subscribe", "complete")
_SHOWN_OF_ID = 20  # characters


class Connection(ASGIWebSocketAdapter):
    """A WebSocket, whose one sign that the client is gone or the socket closed is `WebSocketDisconnected`.

    Starlette has two: `WebSocketDisconnect` when the client goes, and a RuntimeError when this side has closed.
    """

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """The messages that come, until the client is gone or the socket closed.

        Raises:
            NonTextMessageReceived: a message is binary.
            NonJsonMessageReceived: a message is not JSON.
        """
        with suppress(WebSocketDisconnect):
            while self.ws.application_state != WebSocketState.DISCONNECTED:
                try:
                    yield await decode_large_json(await self.ws.receive_text(), "The message")
                except KeyError as error:
                    raise NonTextMessageReceived from error
                except RequestRefused as error:
                    if not ignore_parsing_errors:
                        raise NonJsonMessageReceived from error

    async def send_text(self, text: str) -> None:
        """Send one message.

        Raises:
            WebSocketDisconnected: the client is gone, or the socket is closed.
        """
        try:
            await self.ws.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as gone:
            raise WebSocketDisconnected from gone

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send one message, as `send_text` does."""
        await self.send_text(encode_json(message).decode())

    async def close(self, code: int, reason: str) -> None:
        """Close the socket; does nothing when it is closed."""
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.ws.close(code, reason.encode(errors="replace")[:_MOST_REASON].decode(errors="ignore"))


class OpenSockets:
    """The connections of a process, so that a stop can say goodbye to each."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()

    @contextmanager
    def holding(self, connection: Connection) -> Iterator[None]:
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


class TransportWSHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One connection.

    Strawberry's handler keeps the connection's state. Here each operation has a context of its own, subscribers share
    results, and every message a client may send gets an answer that the protocol knows.
    """

    @cached_property
    def _outlet(self) -> Outlet:
        return Outlet()

    async def handle(self) -> None:
        """Serve the connection until it is closed."""
        sockets: OpenSockets = self.context.request.app.state.sockets
        self.context.until_closed = until_closed = ExitStack()
        pings = asyncio.create_task(self._keep_alive())
        with sockets.holding(cast("Connection", self.websocket)):
            try:
                await super().handle()
            except Exception:
                error_id = uuid4().hex
                logger.exception("error %s on a WebSocket", error_id)
                await self.websocket.close(_INTERNAL_ERROR, f"Something went wrong: {error_id}")
            finally:
                pings.cancel()
                until_closed.close()

    async def _keep_alive(self) -> None:
        interval = self.context.backend.settings.keep_alive
        with suppress(WebSocketDisconnected):
            while True:
                await asyncio.sleep(interval)
                if self.connection_acknowledged:
                    await self.send_message({"type": "ping"})

    async def handle_message(self, message: object) -> None:
        """Act on a message; one that the protocol does not know closes the connection with 4400."""
        if not isinstance(message, dict) or message.get("type") not in _TYPES:
            await self.handle_invalid_message(f"A message is a JSON object, and its type {', '.join(_TYPES)}")
            return
        if message["type"] == "complete" and not isinstance(message.get("id"), str):
            await self.handle_invalid_message("complete needs an id, a string")
            return
        if message.get("payload", ...) is None:
            del message["payload"]
        await super().handle_message(message)  # type: ignore[arg-type]

    async def handle_connection_init(self, message: Any) -> None:
        """Find out who connects; where that can't be said now, or they have too many connections, they try again."""
        try:
            await super().handle_connection_init(message)
        except (Unavailable, TooCostly) as error:
            await self.websocket.close(_TRY_AGAIN, str(error))

    async def handle_ping(self, message: Any) -> None:
        """Answer a ping with a pong that carries its payload."""
        await self.websocket.send_json({**message, "type": "pong"})

    async def handle_subscribe(self, message: Any) -> None:
        """Begin an operation."""
        if not self.connection_acknowledged:
            await self.websocket.close(code=4401, reason="Unauthorized")
            return
        problem = _problem_of(message)
        if problem is not None:
            await self.handle_invalid_message(problem)
            return
        operation_id, payload = message["id"], message["payload"]
        try:
            text = self.context.guards.texts.text_of(payload)
        except OperationError as error:
            await self._refuse(operation_id, error)
            return
        if operation_id in self.operations:
            reason = f"Subscriber for {operation_id[:_SHOWN_OF_ID]} already exists"
            await self.websocket.close(code=4409, reason=reason)
            return
        most = self.context.backend.settings.subscriptions_per_connection
        if len(self.operations) >= most:
            refusal = TooCostly(
                f"{most} operations run on this connection, which is the maximum: complete one, or open another one",
                setting="RECALLQL_SUBSCRIPTIONS_PER_CONNECTION",
            )
            await self._refuse(operation_id, refusal)
            return
        operation = _Operation(self, operation_id, text, payload.get("variables"), payload.get("operationName"))
        self.operations[operation_id] = operation
        operation.task = asyncio.create_task(self.run_operation(operation))
        operation.task.add_done_callback(self._task_done)

    async def _refuse(self, operation_id: str, refusal: OperationError) -> None:
        """Answer an operation that does not begin."""
        error = public_failure(refusal, self.context.caller)
        await self.send_message({"id": operation_id, "type": "error", "payload": [error.formatted]})

    async def run_operation(self, operation: Any) -> None:
        """Send the results of an operation until it is done, or the client is gone."""
        try:
            await self._send_results(operation)
        except WebSocketDisconnected:
            self.operations.pop(operation.id, None)

    async def _send_results(self, operation: Any) -> None:
        run = Operation(
            self.schema,
            replace(self.context),
            operation.query,
            operation.variables,
            operation.operation_name,
            outlet=self._outlet,
        )
        send = cast("Connection", self.websocket).send_text
        before = f'{{"id":{orjson.dumps(operation.id).decode()},"type":"next","payload":'
        try:
            await run.check_caller()
            async with aclosing(run.results()) as results:
                async for payload in results:
                    await send(f"{before}{payload}}}")
                    del payload
            if not self.context.backend.hub.is_closing:  # else the socket is closed, and the client comes back
                await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except OperationFailed as failure:
            await operation.send_initial_errors(failure.errors)
        except WebSocketDisconnected:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is to know that no more comes
            await operation.send_initial_errors([public_failure(error, self.context.caller)])


def _problem_of(message: Any) -> str | None:
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
