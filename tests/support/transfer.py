"""Files of an export, made by hand."""

from __future__ import annotations

from typing import Any

import orjson

from graph.store.documents import Document

HEADER = b'{"format": "recallql", "version": 1}\n'


def ndjson(*found: Document) -> bytes:
    return HEADER + b"".join(orjson.dumps(record) + b"\n" for record in found)


def said(session_id: str, *contents: str, **more: Any) -> list[Document]:
    return [
        {"type": "message", "sessionId": session_id, "role": "user", "content": content, **more} for content in contents
    ]


def large(session_id: str, number: int = 2_300) -> list[Document]:
    return said(session_id, *(str(place % 11) for place in range(number)))
