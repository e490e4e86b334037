"""HTTP connections with bounds: uvicorn limits neither the size of headers nor the time for silent clients.

The bounds hold before the caller of a request is known. A WebSocket begins as an HTTP request, so its headers are
bounded here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import MAX_LINE_LENGTH, MAX_NUM_HEADERS

from graph.settings import Settings
from graph.transport.joined_writes import JoinedWrites

_PIECE = 65_536
"""Bytes that the parser gets at once where there is no limit on headers."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of each connection; 0 disables one.

    Attributes:
        header_bytes: maximum size of a request's line and headers, and of its trailers.
        header_seconds: from the start of a connection or request until its headers have arrived.
        send_seconds: for which a client may read nothing of the answer that waits in the send buffer.
        connections: maximum number of open connections of the process.
    """

    header_bytes: int
    header_seconds: float
    send_seconds: float
    connections: int

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """Return the bounds in the settings."""
        return cls(settings.header_limit, settings.header_timeout, settings.send_timeout, settings.max_connections)


class _Patience:
    """Closes a connection whose client does not read the bytes in the send buffer; a mixin of uvicorn's protocols."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    _send_seconds: float
    _send_timer: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Start a timer: the client does not read, and the send buffer is full."""
        super().pause_writing()  # type: ignore[misc]
        if self._send_seconds and self._send_timer is None:
            self._watch_sending()

    def resume_writing(self) -> None:
        """The client has read."""
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None
        super().connection_lost(exc)  # type: ignore[misc]

    def _watch_sending(self) -> None:
        waiting = self.transport.get_write_buffer_size()

        def look() -> None:
            self._send_timer = None
            if self.transport.get_write_buffer_size() < waiting:
                self._watch_sending()
            else:
                self.transport.abort()  # `close` would wait for the client to read

        self._send_timer = self.loop.call_later(self._send_seconds, look)


class BoundedHttpProtocol(_Patience, HttpToolsProtocol):
    """One connection, until it ends or becomes a WebSocket."""

    def __init__(self, bounds: Bounds, config: Config, server_state: ServerState, **arguments: Any) -> None:
        super().__init__(config, server_state, **arguments)
        self._bounds = bounds
        self._piece = bounds.header_bytes or _PIECE
        self._in_headers = False
        self._header_size = 0
        self._pending = 0
        self._progressed = False
        self._header_timer: asyncio.TimerHandle | None = None
        self._send_seconds = bounds.send_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse a connection beyond the limit; wait for the headers of the others."""
        super().connection_made(transport)
        if self._bounds.connections and len(self.connections) > self._bounds.connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections are open: try again later")
            return
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._headers_arrived()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes in pieces, so that a long header is refused before its end is read."""
        for start in range(0, len(data), self._piece):
            piece = data[start : start + self._piece]
            self._progressed = False
            super().data_received(piece)
            if self.transport.is_closing():
                return
            if self.transport.get_protocol() is not self:  # a WebSocket
                self._headers_arrived()
                return
            self._pending = 0 if self._progressed else self._pending + len(piece)
            if self._is_refused(self._pending):
                return
        if self._header_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_headers()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._progressed = True
        self._in_headers = True
        self._header_size = 0
        super().on_message_begin()
        if self._header_timer is None:
            self._expect_headers()

    def on_url(self, url: bytes) -> None:
        """Count a part of the request line."""
        self._header_size += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header or trailer."""
        self._header_size += len(name) + len(value) + 4
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request to the application, unless it is refused."""
        self._progressed = True
        self._in_headers = False
        self._headers_arrived()
        if self.parser.should_upgrade() and self._should_upgrade() and self._is_too_much_for_websockets():
            self._refuse_headers(f"{MAX_NUM_HEADERS} headers of {MAX_LINE_LENGTH:,} bytes each")
        if not self._is_refused(self._header_size):
            super().on_headers_complete()
        self._header_size = 0

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body, unless the request was refused: a refused request has no cycle."""
        self._progressed = True
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; its trailers count as headers."""
        self._progressed = True
        if not self._is_refused(self._header_size):
            super().on_message_complete()

    def _expect_headers(self) -> None:
        if self._bounds.header_seconds:
            self._header_timer = self.loop.call_later(self._bounds.header_seconds, self._headers_are_late)

    def _headers_arrived(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_are_late(self) -> None:
        self._header_timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect_headers()  # the next request may wait while this one is answered
        elif self._in_headers:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the headers did not arrive in time")
        else:
            self.transport.close()

    def _is_refused(self, size: int) -> bool:
        """Refuse the request if its headers have more than the maximum size; return whether it is refused."""
        most = self._bounds.header_bytes
        if most and size > most and not self.transport.is_closing():
            self._refuse_headers(f"{most:,} bytes")
        return self.transport.is_closing()

    def _is_too_much_for_websockets(self) -> bool:
        """Whether the WebSocket library would refuse the headers, which it does without an answer."""
        longest = max(
            len(self.url) + len("GET  HTTP/1.1"), *(len(name) + len(value) + 4 for name, value in self.headers)
        )
        return len(self.headers) > MAX_NUM_HEADERS or longest > MAX_LINE_LENGTH

    def _refuse_headers(self, most: str) -> None:
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"the request's line and headers have more than {most}, the maximum: send fewer or shorter ones",
        )

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        body = reason.encode()
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n" % (status, status.phrase.encode(), len(body)) + body
        )
        self.transport.close()


def bounded_http(settings: Settings) -> Callable[..., BoundedHttpProtocol]:
    """Return the factory of HTTP connections for uvicorn."""
    bounds = Bounds.of(settings)

    def make(**arguments: Any) -> BoundedHttpProtocol:
        return BoundedHttpProtocol(bounds, **arguments)

    return make


class BoundedWebSocketProtocol(_Patience, WebSocketsSansIOProtocol):
    """One WebSocket, which replaces the HTTP connection of its handshake."""

    def __init__(self, bounds: Bounds, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._send_seconds = bounds.send_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Send the short messages of one turn together."""
        super().connection_made(JoinedWrites(transport, self.loop))


def bounded_websockets(settings: Settings) -> Callable[..., BoundedWebSocketProtocol]:
    """Return the factory of WebSockets for uvicorn."""
    bounds = Bounds.of(settings)

    def make(**arguments: object) -> BoundedWebSocketProtocol:
        return BoundedWebSocketProtocol(bounds, **arguments)

    return make
