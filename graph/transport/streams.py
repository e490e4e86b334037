"""Results as a stream over HTTP: server-sent events (graphql-sse, distinct connections) and multipart/mixed.

The protocols are https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md and
https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing, suppress
from email.message import Message
from functools import lru_cache
from typing import ClassVar

from strawberry.types.graphql import OperationType

from graph.request.answer import Result

_BUFFERED = 65_536
"""Bytes that the server writes to a connection without waiting for the client."""


class StreamProtocol(ABC):
    """A format of results in a response that stays open.

    Attributes:
        headers: of the response.
        heartbeat: the text that is sent while there is no result.
        heartbeat_interval: maximum number of seconds between two parts of the response.
        begins_with_heartbeat: whether a heartbeat comes first.
        resumes: whether a client that connects again sends the mark of the last result.
    """

    headers: ClassVar[Mapping[str, str]]
    heartbeat: ClassVar[str]
    heartbeat_interval: ClassVar[float]
    begins_with_heartbeat: ClassVar[bool]
    resumes: ClassVar[bool]

    @abstractmethod
    def accepts(self, accept: str) -> bool:
        """Whether an `Accept` header asks for this protocol."""

    @abstractmethod
    def kinds(self, method: str) -> Collection[OperationType]:
        """Return the kinds of operation that this protocol serves to requests with this method."""

    @abstractmethod
    def encode(self, result: Result) -> str:
        """One result."""

    @abstractmethod
    def end(self) -> str:
        """Return the text after the last result."""


class EventStream(StreamProtocol):
    """Server-sent events (graphql-sse), with a line feed as line end."""

    headers: ClassVar[Mapping[str, str]] = {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache, no-transform",  # a proxy that compresses would hold events back
        "X-Accel-Buffering": "no",  # nginx would hold them back, too
    }
    heartbeat = ": ping\n\n"  # a comment, which clients ignore
    heartbeat_interval = 15
    begins_with_heartbeat = False
    resumes = True

    def accepts(self, accept: str) -> bool:
        """Whether `text/event-stream` is the first type; urql names it last on every query, and expects JSON."""
        return accept.split(",", 1)[0].split(";", 1)[0].strip().lower() == "text/event-stream"

    def kinds(self, method: str) -> Collection[OperationType]:
        """Exclude mutations from GET: browsers and proxies repeat and prefetch GET requests."""
        return frozenset(OperationType) - ({OperationType.MUTATION} if method == "GET" else set())

    def encode(self, result: Result) -> str:
        """Return one event; a browser's EventSource sends the last `id` when it connects again."""
        event = f"event: next\ndata: {result.payload}\n\n"  # the JSON has no line ends
        return event if result.mark is None else f"id: {result.mark}\n{event}"

    def end(self) -> str:
        """Return the `complete` event; browsers discard an event without a data field."""
        return "event: complete\ndata: \n\n"


_BOUNDARY = "graphql"


def _part(body: str) -> str:
    return (
        "\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body.encode())}\r\n\r\n{body}\r\n--{_BOUNDARY}"
    )


class MultipartStream(StreamProtocol):
    """The multipart protocol of Apollo Client and Apollo Router."""

    headers: ClassVar[Mapping[str, str]] = {
        "Content-Type": f"multipart/mixed;boundary={_BOUNDARY};subscriptionSpec=1.0,application/json"
    }
    heartbeat = _part("{}")
    heartbeat_interval = 5
    begins_with_heartbeat = True
    resumes = False

    def accepts(self, accept: str) -> bool:
        """Whether the parameters name the protocol, and no other boundary."""
        return _asks_for_multipart(accept)

    def kinds(self, method: str) -> Collection[OperationType]:  # noqa: ARG002 - as every protocol's
        """Return subscriptions alone, as the protocol specifies."""
        return frozenset({OperationType.SUBSCRIPTION})

    def encode(self, result: Result) -> str:
        """One part."""
        return _part(f'{{"payload":{result.payload}}}')

    def end(self) -> str:
        """The last boundary."""
        return f"\r\n--{_BOUNDARY}--\r\n"


@lru_cache(maxsize=256)
def _asks_for_multipart(accept: str) -> bool:
    header = Message()
    header["content-type"] = accept
    specification = str(header.get_param("subscriptionspec", "")).strip("'\"")
    return (
        header.get_content_type() == "multipart/mixed"
        and specification.startswith("1.0")
        and header.get_param("boundary", _BOUNDARY) == _BOUNDARY
    )


_PROTOCOLS: tuple[StreamProtocol, ...] = (EventStream(), MultipartStream())


def stream_asked_for(accept: str) -> StreamProtocol | None:
    """Return the protocol that an `Accept` header asks for; None if it asks for one answer."""
    return next((protocol for protocol in _PROTOCOLS if protocol.accepts(accept)), None)


async def with_heartbeats(
    chunks: AsyncGenerator[str, None], heartbeat: str, interval: float, *, at_once: bool
) -> AsyncGenerator[str, None]:
    """Yield the chunks, and a heartbeat after each interval without a chunk.

    The next chunk is computed after the client has taken the one before.

    Args:
        chunks: the parts of the response.
        heartbeat: the text to send after an interval without a chunk.
        interval: seconds.
        at_once: whether a heartbeat comes first.
    """
    if at_once:
        yield heartbeat
    async with aclosing(chunks):
        while True:
            coming = asyncio.ensure_future(anext(chunks, None))
            try:
                while not (await asyncio.wait({coming}, timeout=interval))[0]:
                    yield heartbeat
                chunk = coming.result()
            finally:
                if not coming.done():
                    coming.cancel()
                    with suppress(asyncio.CancelledError):
                        await coming
            del coming
            if chunk is None:
                return
            is_large = len(chunk) > _BUFFERED
            yield chunk
            del chunk
            if is_large:
                yield ""  # the server asks for the next chunk after it has sent the bytes before this one
