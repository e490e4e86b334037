"""Compression of answers and of streams, for clients that accept it (RFC 9110, section 8.4)."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

from graph.transport.http import GRAPHQL_TYPE, LINES_TYPES

_STREAMS: Final = frozenset({"text/event-stream", "multipart/mixed", *LINES_TYPES})
"""The media types of answers that stay open: `_Streams` compresses these."""

_LEAST: Final = 1_024
"""Bytes from which an answer is compressed: a shorter one would hardly get shorter."""

# On a list of 100 sessions (1.2 MB), each takes under 20 ms of processor time; the next levels take up to six times as
# long for a tenth less.
_ZSTD_LEVEL: Final = 3
_BROTLI_QUALITY: Final = 1
_GZIP_LEVEL: Final = 1

_PIECE: Final = 65_536
"""Bytes that are compressed in one step, which takes 2 ms at most."""

_WINDOW_BITS: Final = 13
_MEMORY_LEVEL: Final = 5
"""The window, of 8 KiB, and the tables of a stream's compressor make 48 KiB; zlib's own choice is 256 KiB."""

add_compress_type(GRAPHQL_TYPE)
for _type in _STREAMS:
    remove_compress_type(_type)


class Compression:
    """Middleware that compresses each answer over 1 KiB, in pieces, and each stream, event by event.

    Answers are compressed with zstd, brotli or gzip, the first of them that the client accepts. Streams are compressed
    with gzip alone, whose encoder keeps 30 KiB for each open stream; one of zstd keeps 800 KiB.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = CompressMiddleware(
            _Pieces(_Streams(app)),
            minimum_size=_LEAST,
            zstd_level=_ZSTD_LEVEL,
            brotli_quality=_BROTLI_QUALITY,
            gzip_level=_GZIP_LEVEL,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and compress its response, unless it is a WebSocket."""
        await self._app(scope, receive, send)


class _Pieces:
    """Hands a large body on in pieces, so that its compression lets other tasks run."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "accept-encoding" not in Headers(scope=scope):
            await self._app(scope, receive, send)
            return
        is_encoded = False

        async def send_in_pieces(message: Message) -> None:
            nonlocal is_encoded
            if message["type"] == "http.response.start":
                is_encoded = "content-encoding" in Headers(raw=message["headers"])
            body = message.get("body", b"")
            if is_encoded or len(body) <= _PIECE:
                await send(message)
                return
            rest = len(body)
            for piece in _pieces(body):
                rest -= len(piece)
                more = bool(rest) or message.get("more_body", False)
                await send({"type": "http.response.body", "body": bytes(piece), "more_body": more})
                await asyncio.sleep(0)

        await self._app(scope, receive, send_in_pieces)


class _Streams:
    """Compresses each message of a stream with gzip, and flushes it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        accepts = _accepts_gzip(", ".join(Headers(scope=scope).getlist("accept-encoding")))
        encoder: zlib._Compress | None = None

        async def send_compressed(message: Message) -> None:
            nonlocal encoder
            if message["type"] == "http.response.start" and _is_stream(message):
                headers = MutableHeaders(raw=message["headers"])
                headers.add_vary_header("Accept-Encoding")
                if accepts:
                    headers["Content-Encoding"] = "gzip"
                    del headers["Content-Length"]
                    encoder = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 16 + _WINDOW_BITS, _MEMORY_LEVEL)
            elif message["type"] == "http.response.body" and encoder is not None:
                message = {**message, "body": await _compressed(encoder, message)}
            await send(message)

        await self._app(scope, receive, send_compressed)


async def _compressed(encoder: zlib._Compress, message: Message) -> bytes:
    """Return all that a client needs to read the body of a message; nothing for an empty one within the stream."""
    body = message.get("body", b"")
    parts = []
    for piece in _pieces(body):
        parts.append(encoder.compress(piece))
        if len(body) > _PIECE:
            await asyncio.sleep(0)
    if not message.get("more_body", False):
        parts.append(encoder.flush(zlib.Z_FINISH))
    elif body:
        parts.append(encoder.flush(zlib.Z_SYNC_FLUSH))
    return b"".join(parts)


def _pieces(body: bytes) -> Iterator[memoryview]:
    view = memoryview(body)
    return (view[start : start + _PIECE] for start in range(0, len(body), _PIECE))


def _is_stream(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    declared = headers.get("content-type", "").partition(";")[0].strip().lower()
    return declared in _STREAMS and "content-encoding" not in headers


@lru_cache(maxsize=256)
def _accepts_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` header accepts gzip, by its name or else by `*`."""
    qualities: dict[str, bool] = {}
    for item in accepted.lower().split(","):
        coding, *parameters = (part.strip() for part in item.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        qualities[coding] = _is_positive(weight)
    return qualities.get("gzip", qualities.get("*", False))


def _is_positive(weight: str) -> bool:
    try:
        return float(weight) > 0
    except ValueError:
        return False
