"""The id of each request, which the log has in each line, and the step that the request is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.access.caller import Caller
from graph.telemetry.steps import Kind, begin_request, request_id, step

HEADER: Final = b"x-request-id"
_SANE = re.compile(rb"[A-Za-z0-9._:+=/-]{1,128}")
_UNSEEN = frozenset({"/health", "/healthz", "/ready", "/metrics"})
"""Paths that machines ask for every few seconds."""
_LAST = ((b"connection", b"close"),)
"""Headers of a response of a process that is about to end: the client's next request goes to another one."""
_STARTS = frozenset({"http.response.start", "websocket.accept"})


class Requests:
    """Middleware that gives each request an id, the client's own where it sends a sane one, and observes the request.

    The operations of a WebSocket have the id of its handshake, with a number.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and add the id to its response."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        id_, traceparent = _sent(scope)
        begin_request(id_.decode())
        status = 200

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] in _STARTS:
                status = message.get("status", 101)
                last = _LAST if scope["app"].state.readiness.is_draining and scope["type"] == "http" else ()
                message["headers"] = [*message.get("headers", ()), (HEADER, id_), *last]
            await send(message)

        if scope["type"] == "websocket" or scope["path"] in _UNSEEN:  # of a WebSocket, the operations are the requests
            await self._app(scope, receive, send_with_id)
            return
        with step(Kind.REQUEST, traceparent=traceparent) as request:
            request.request_id = id_.decode()
            await self._app(scope, receive, send_with_id)
            if status >= 400:
                request.fail(f"HTTP_{status}")


@contextmanager
def part_of(scope: Scope, number: int, caller: Caller) -> Iterator[None]:
    """Observe one of several operations of a connection as a request, with an id of its own.

    Args:
        scope: of the connection.
        number: of the operation.
        caller: of the connection.
    """
    id_ = request_id().partition("#")[0]
    begin_request(f"{id_}#{number}")
    traceparent = _traceparent(scope)
    with step(Kind.REQUEST, traceparent=traceparent) as request:
        request.request_id = request_id()
        request.note(protocol="graphql", caller=caller.kind)
        yield


def _sent(scope: Scope) -> tuple[bytes, str]:
    """Return the id of a request, and its `traceparent` header, or an empty text."""
    id_ = b""
    for name, value in scope["headers"]:
        if name == HEADER and _SANE.fullmatch(value):
            id_ = value
    return id_ or token_hex(16).encode(), _traceparent(scope)


def _traceparent(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            parent: str = value.decode("latin-1")[:_LONGEST_PARENT]
            return parent
    return ""


_LONGEST_PARENT = 100  # characters: the header has 55, and later versions may have more
