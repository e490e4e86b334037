"""A real HTTP server that speaks OpenAI's `/embeddings`, with the packaged model behind it."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from graph.recall.model import SentenceModel, packaged_model
from tests.support.json_server import JSONServer, Reply, Request

REFUSED = "refuse this text"
"""A text with it is answered with status 400."""


@cache
def packaged() -> SentenceModel:
    """The packaged model, loaded once."""
    return SentenceModel(packaged_model())


class EmbeddingServer(JSONServer):
    """Answers with the vectors of the packaged model."""

    def __init__(self, status: int = 200, *, holds: bool = False) -> None:
        super().__init__()
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

    def end(self) -> None:
        super().end()
        self.answers.set()

    def reply_to(self, request: Request) -> Reply:
        self.headers.append(request.headers)
        return self._answer(request.body) if request.path == "/v1/embeddings" else Reply({}, 404)

    def _answer(self, asked: dict[str, Any]) -> Reply:
        texts = asked["input"]
        self.was_asked.set()
        self.answers.wait()
        if self.status != 200:
            return Reply({"error": {"message": "not now"}}, self.status)
        if any(REFUSED in text for text in texts):
            return Reply({"error": {"message": "one of the texts is refused"}}, 400)
        self.asked += texts
        if self.body is not None:
            return Reply(self.body)
        vectors = packaged().embed_all(texts)
        # Three times as long as they should be, and in no order: both are the client's to put right.
        data = [{"index": place, "embedding": (3 * vector).tolist()} for place, vector in enumerate(vectors)]
        return Reply({"object": "list", "model": asked["model"], "data": data[::-1]})
