"""A real HTTP server of tests that takes JSON and answers in its own way."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]  # by lower-case name
    body: dict[str, Any]

    @property
    def material(self) -> str:
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Reply:
    """One answer.

    `delay` seconds pass before it; with `drip`, its bytes come one by one with that many seconds between; with `drop`,
    the connection is closed without an answer.
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    drop: bool = False

    @property
    def payload(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class JSONServer(ABC):
    """It runs in threads of its own, so that clients in any loop, thread or process can call it."""

    def __init__(self) -> None:
        self._closing = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def end(self) -> None:
        """Let every answer go that is kept back."""
        self._closing.set()

    @abstractmethod
    def reply_to(self, request: Request) -> Reply:
        """The answer to a request; called in a thread for each connection."""

    def wait(self, seconds: float) -> None:
        self._closing.wait(seconds)


class _Http(ThreadingHTTPServer):
    owner: JSONServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # the name that http.server calls
        owner = cast("_Http", self.server).owner
        body = self.rfile.read(int(self.headers["Content-Length"]))
        reply = owner.reply_to(Request(self.path, {n.lower(): v for n, v in self.headers.items()}, json.loads(body)))
        owner.wait(reply.delay)
        if reply.drop:
            self.close_connection = True
            return
        try:
            self._send(reply, owner)
        except ConnectionError:  # the client did not wait
            self.close_connection = True

    def _send(self, reply: Reply, owner: JSONServer) -> None:
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.payload)))
        self.end_headers()
        step = 1 if reply.drip else max(len(reply.payload), 1)
        for start in range(0, len(reply.payload), step):
            owner.wait(reply.drip)
            self.wfile.write(reply.payload[start : start + step])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class names it
        """Stay silent."""
