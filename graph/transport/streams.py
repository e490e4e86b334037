"""Results as a stream over HTTP: server-sent events (graphql-sse, distinct connections) and multipart/mixed.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md and
https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol are the rules.
"""

from __future__ import annotations

from strawberry.http.streaming import MultipartSubscriptionTransport, SSETransport


class EventStream(SSETransport):
    """Server-sent events, with the line ends that every client reads."""

    def accepts(self, accept: str) -> bool:
        """Only as the first type: clients such as urql name it last on every query, and want JSON."""
        return accept.split(",", 1)[0].split(";", 1)[0].strip().lower() == "text/event-stream"

    def encode_payload(self, payload: str) -> str:
        """One result, given as JSON."""
        return self.encode_event("next", payload)

    def encode_event(self, event: str, data: str | None = None) -> str:
        """One event. JSON as it is encoded here has no line ends."""
        return f"event: {event}\ndata: {data or ''}\n\n"

    def encode_comment(self, comment: str) -> str:
        """A line that clients pass over."""
        return f": {comment}\n\n"


class MultipartStream(MultipartSubscriptionTransport):
    """The protocol of Apollo Client."""

    def encode_payload(self, payload: str) -> str:
        """One result, given as JSON."""
        return self.encode_multipart_data(f'{{"payload":{payload}}}', str)
