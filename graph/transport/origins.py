"""The origins whose web pages may call, for GraphQL over HTTP and WebSocket and for the Zep routes."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.http.websocket_origin import is_same_origin

from graph.addresses import origin as normalised
from graph.errors import Forbidden

logger = logging.getLogger(__name__)

_MOST_LOGGED = 100  # maximum different origins, so that no caller fills the log
_SHOWN = 200  # maximum characters of an origin in the log and in errors

_ANY = "*"

HEADERS = (
    "authorization",
    "content-type",
    "cache-control",
    "last-event-id",
    "x-recallql-cost",
    # Headers of GraphQL clients.
    "apollo-require-preflight",
    "apollographql-client-name",
    "apollographql-client-version",
    "graphql-require-preflight",
    "x-apollo-operation-id",
    "x-apollo-operation-name",
    "x-apollo-operation-type",
    "x-requested-with",
    # Headers of tracing: W3C Trace Context and Baggage, B3, Sentry, Datadog, Elastic, New Relic.
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "x-b3-flags",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "sentry-trace",
    "x-datadog-origin",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-tags",
    "x-datadog-trace-id",
    "elastic-apm-traceparent",
    "newrelic",
    "x-correlation-id",
    "x-request-id",
)
"""The request headers that a page of an allowed origin may send without a setting."""


class Origins:
    """The allowed origins, and a log of the refused ones."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._any = _ANY in allowed
        self._allowed = frozenset(normalised(origin) for origin in allowed)
        self._refused = OnceLog()
        self.allows = lru_cache(maxsize=256)(self._allows)
        """Whether pages of the origin in an `Origin` header may call."""

    def _allows(self, sent: str) -> bool:
        if self._any:
            return True
        try:
            return normalised(sent) in self._allowed
        except ValueError:  # `null`, which any page can send
            return False

    def refused(self, headers: Mapping[str, str]) -> str | None:
        """Return and log the origin of a request from a page that may not call; return None for other requests.

        A page may call the service that served the page. Clients other than browsers send no origin.
        """
        sent = headers.get("origin")
        # A page can't write `Sec-Fetch-Site`; a proxy may have changed the host.
        if sent is None or headers.get("sec-fetch-site") == "same-origin" or is_same_origin(sent, headers.get("host")):
            return None
        if self.allows(sent):
            return None
        self._refused.warn(sent, "the origin %r is refused: add it to RECALLQL_ALLOWED_ORIGINS if its pages may call")
        return sent

    def require_allowed(self, headers: Mapping[str, str]) -> None:
        """Refuse a request from a page that may not call: a visitor's browser sends one without credentials.

        Raises:
            Forbidden: the request comes from such a page.
        """
        if (refused := self.refused(headers)) is not None:
            raise Forbidden(f"the origin {refused[:_SHOWN]} is not allowed", setting="RECALLQL_ALLOWED_ORIGINS")


class OnceLog:
    """Logs each refused value once, and a bounded number of them."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def warn(self, value: str, text: str) -> None:
        """Log a text with the value in place of its `%r`."""
        value = value[:_SHOWN]
        if value in self._seen or len(self._seen) > _MOST_LOGGED:
            return
        self._seen.add(value)
        if len(self._seen) > _MOST_LOGGED:
            logger.warning("more than %d different values were refused: further values are not logged", _MOST_LOGGED)
        else:
            logger.warning(text, value)


class CheckOrigins:
    """Refuses WebSockets of pages that may not call; over HTTP their browser does, since no header allows it."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] in ("http", "websocket"):
            refused = self._origins.refused(Headers(scope=scope))
            if refused is not None and scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
        await self._app(scope, receive, send)


class Cors(CORSMiddleware):
    """Allows browsers to call from pages of the allowed origins, with the allowed headers."""

    def __init__(self, app: ASGIApp, origins: Origins, allowed: Collection[str], headers: Collection[str]) -> None:
        self._origins = origins
        self._refused = OnceLog()
        options: dict[str, Any] = {
            "allow_origins": allowed,
            "allow_methods": ["GET", "POST", "PATCH", "DELETE"],
            "allow_headers": [*HEADERS, *headers],
            "expose_headers": ["retry-after", "x-request-id"],
            "max_age": 600,
        }
        super().__init__(app, **options)

    def is_allowed_origin(self, origin: str) -> bool:
        """Return whether pages of the origin may call."""
        return self._origins.allows(origin)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the response to a preflight request; log each refused header."""
        requested = request_headers.get("access-control-request-headers", "")
        if not self.allow_all_headers and self.is_allowed_origin(request_headers["origin"]):
            for header in {name.strip().lower() for name in requested.split(",") if name.strip()}:
                if header not in self.allow_headers:
                    text = "the request header %r is refused: add it to RECALLQL_ALLOWED_HEADERS if pages may send it"
                    self._refused.warn(header, text)
        return super().preflight_response(request_headers)
