"""A real HTTP server that speaks OpenAI's `/embeddings`, with the packaged model behind it."""

from __future__ import annotations

import json
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, cast

from graph.recall.model import SentenceModel, packaged_model

if TYPE_CHECKING:
    from types import TracebackType

REFUSED = "refuse this text"
"""A text with it is answered with status 400."""


@cache
def packaged() -> SentenceModel:
    """The packaged model, loaded once."""
    return SentenceModel(packaged_model())


class EmbeddingServer:
    """It runs in threads of its own, so that clients in any loop, thread or process can call it."""

    def __init__(self, status: int = 200, *, holds: bool = False) -> None:
        self.status = status
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.body: Any = None
        """Sent in place of embeddings."""
        self.was_asked = threading.Event()
        self.answers = threading.Event()
        """Cleared, it keeps answers back."""
        if not holds:
            self.answers.set()
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
        self.answers.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, asked: dict[str, Any]) -> tuple[int, Any]:
        texts = asked["input"]
        self.was_asked.set()
        self.answers.wait()
        if self.status != 200:
            return self.status, {"error": {"message": "not now"}}
        if any(REFUSED in text for text in texts):
            return 400, {"error": {"message": "one of the texts is refused"}}
        self.asked += texts
        if self.body is not None:
            return 200, self.body
        vectors = packaged().embed_all(texts)
        # Three times as long as they should be, and in no order: both are the client's to put right.
        data = [{"index": place, "embedding": (3 * vector).tolist()} for place, vector in enumerate(vectors)]
        return 200, {"object": "list", "model": asked["model"], "data": data[::-1]}


class _Http(ThreadingHTTPServer):
    owner: EmbeddingServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # the name that http.server calls
        owner = cast("_Http", self.server).owner
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        owner.headers.append({name.lower(): value for name, value in self.headers.items()})
        status, body = owner.answer(asked) if self.path == "/v1/embeddings" else (404, {})
        payload = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)
        except ConnectionError:  # the client did not wait
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class names it
        """Stay silent."""
