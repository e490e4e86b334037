"""GraphQL over WebSocket: the graphql-transport-ws protocol.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md is the source of the rules here.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import Operation as _Operation

from graph.errors import BadUserInput, TooCostly
from graph.request.masking import public_error
from graph.schema.context import Context
from graph.transport.http import RequestRefused, check_request, is_unicode
from graph.transport.subscriptions import Operation, OperationFailed

log = logging.getLogger("recallql")

_GOING_AWAY = 1001
_INTERNAL_ERROR = 4500
_TYPES = ("connection_init", "ping", "pong", "subscribe", "complete")
_SHOWN_OF_ID = 20  # characters: a close reason has at most 123 bytes


class TransportWSHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One connection.

    Strawberry's handler keeps the connection's state. Here each operation has a context of its own, subscribers share
    results, and every message a client may send gets an answer that the protocol knows.
    """

    async def handle(self) -> None:
        """Serve the connection until it is closed."""
        pings = asyncio.create_task(self._keep_alive())
        try:
            await super().handle()
        except Exception:
            error_id = uuid4().hex
            log.exception("error %s on a WebSocket", error_id)
            with suppress(WebSocketDisconnect, RuntimeError):
                await self.websocket.close(_INTERNAL_ERROR, f"Something went wrong: {error_id}")
        finally:
            pings.cancel()

    async def _keep_alive(self) -> None:
        interval = self.context.backend.settings.keep_alive
        with suppress(WebSocketDisconnected, WebSocketDisconnect, RuntimeError):
            while True:
                await asyncio.sleep(interval)
                if self.connection_acknowledged:
                    await self.send_message({"type": "ping"})

    async def handle_message(self, message: Any) -> None:
        """Act on a message; one that is none of the protocol's closes the connection with 4400."""
        if not isinstance(message, dict) or message.get("type") not in _TYPES:
            await self.handle_invalid_message(f"A message is a JSON object, and its type {', '.join(_TYPES)}")
            return
        if message["type"] == "complete" and not isinstance(message.get("id"), str):
            await self.handle_invalid_message("complete needs an id, a string")
            return
        if message.get("payload", ...) is None:
            del message["payload"]
        await super().handle_message(message)  # type: ignore[arg-type]

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
        if "documentId" in payload:
            try:
                payload["query"] = self.context.backend.trusted.text(payload["documentId"])
            except BadUserInput as unknown:
                error = public_error(GraphQLError(str(unknown), original_error=unknown))
                await self.send_message({"id": operation_id, "type": "error", "payload": [error.formatted]})
                return
        if operation_id in self.operations:
            reason = f"Subscriber for {operation_id[:_SHOWN_OF_ID]} already exists"
            await self.websocket.close(code=4409, reason=reason.encode(errors="replace").decode())
            return
        operation = _Operation(
            self, operation_id, payload["query"], payload.get("variables"), payload.get("operationName")
        )
        most = self.context.backend.settings.subscriptions_per_connection
        if len(self.operations) >= most:
            refusal = TooCostly(
                f"{most} operations run on this connection, which is the most: complete one, or open another connection"
            )
            error = public_error(GraphQLError(str(refusal), original_error=refusal))
            operation.completed = True
            await self.send_message({"id": operation_id, "type": "error", "payload": [error.formatted]})
            return
        self.operations[operation_id] = operation
        operation.task = asyncio.create_task(self.run_operation(operation))
        operation.task.add_done_callback(self._task_done)

    async def run_operation(self, operation: Any) -> None:
        """Send the results of an operation until it is done."""
        run = Operation(
            self.schema, replace(self.context), operation.query, operation.variables, operation.operation_name
        )
        send = self.websocket.ws.send_text  # type: ignore[attr-defined]
        before = f'{{"id":{orjson.dumps(operation.id).decode()},"type":"next","payload":'
        try:
            async with aclosing(run.results()) as results:
                async for payload in results:
                    await send(f"{before}{payload}}}")
            if self.context.backend.hub.is_closing:
                # Not complete: the client is to come back, to this process's successor.
                await self.websocket.close(_GOING_AWAY, "The service is restarting: connect again")
            else:
                await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except OperationFailed as failure:
            await operation.send_initial_errors(failure.errors)
        except (WebSocketDisconnected, WebSocketDisconnect):
            self.operations.pop(operation.id, None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is to know that no more comes
            await operation.send_initial_errors([public_error(GraphQLError(str(error), original_error=error))])


def _problem_of(message: Any) -> str | None:
    """What is wrong with a subscribe message."""
    payload = message.get("payload")
    if not isinstance(message.get("id"), str) or not message["id"]:
        return "subscribe needs an id, a non-empty string"
    if not is_unicode(message["id"]):
        return "the id has a lone surrogate: send whole Unicode characters"
    if not isinstance(payload, dict) or not isinstance(payload.get("documentId", payload.get("query")), str):
        return "subscribe needs a payload with a query, a string"
    try:
        check_request(payload)
    except RequestRefused as refusal:
        return str(refusal)
    return None
