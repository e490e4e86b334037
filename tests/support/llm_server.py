"""A real HTTP server that speaks OpenAI's `/chat/completions`, as well or as badly as a test says."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from tests.support import json_server
from tests.support.json_server import JSONServer, Request


def completion(content: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "test-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


@dataclass(frozen=True)
class Reply(json_server.Reply):
    """One answer: a completion, unless it is given another body."""

    body: Any = field(default_factory=lambda: completion("The human asked, and the ai answered."))


class LLMServer(JSONServer):
    """Give it replies in the order in which they are sent; the last one is sent again and again."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self.replies = list(replies) or [Reply()]
        self.requests: list[Request] = []
        self._lock = threading.Lock()

    def reply_to(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if not request.path.split("?")[0].endswith("/chat/completions"):
            return Reply({"error": {"message": f"unknown route {request.path}"}}, 404)
        return reply
