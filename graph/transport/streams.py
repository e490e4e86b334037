"""Results as a stream over HTTP: server-sent events (graphql-sse, distinct connections) and multipart/mixed.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md and
https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol are the rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from strawberry.http.streaming import MultipartSubscriptionTransport, SSETransport

from graph.transport.subscriptions import Result

_BUFFERED = 65_536
"""Bytes that the server writes to a connection without waiting for the client."""


class EventStream(SSETransport):
    """Server-sent events, with the line ends that every client reads."""

    def accepts(self, accept: str) -> bool:
        """Only as the first type: clients such as urql name it last on every query, and want JSON."""
        return accept.split(",", 1)[0].split(";", 1)[0].strip().lower() == "text/event-stream"

    def encode_result(self, result: Result) -> str:
        """One result. A browser's EventSource sends the last `id` when it connects again."""
        event = self.encode_event("next", result.payload)
        return event if result.mark is None else f"id: {result.mark}\n{event}"

    def encode_event(self, event: str, data: str | None = None) -> str:
        """One event. JSON as it is encoded here has no line ends."""
        return f"event: {event}\ndata: {data or ''}\n\n"

    def encode_comment(self, comment: str) -> str:
        """A line that clients pass over."""
        return f": {comment}\n\n"


class MultipartStream(MultipartSubscriptionTransport):
    """The protocol of Apollo Client."""

    def encode_result(self, result: Result) -> str:
        """One result."""
        return self.encode_multipart_data(f'{{"payload":{result.payload}}}', str)


async def with_heartbeats(
    chunks: AsyncGenerator[str, None], heartbeat: str, interval: float, *, at_once: bool
) -> AsyncGenerator[str, None]:
    """The chunks, and a heartbeat whenever none came for an interval.

    The next chunk is asked for once the client has taken the one before: Strawberry's own way asks for two more.

    Args:
        chunks: what is sent.
        heartbeat: sent in between.
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
                yield ""  # is sent when the client has taken what was before it
