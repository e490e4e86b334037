"""Security headers of every response, and the allowed hosts and origins."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.access.authenticator import authentication_is_on
from graph.errors import Forbidden
from graph.settings import Settings
from graph.transport import http
from graph.transport.compression import Compression
from graph.transport.origins import CheckOrigins, Cors, OnceLog, Origins
from graph.transport.proxied import ForwardedHost, Prefix
from graph.transport.requests import Requests

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of each response whose route does not set them; the explorer sets its own."""

_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


def middleware(settings: Settings, origins: Origins) -> list[Middleware]:
    """Return the middleware of all routes, outermost first."""
    layers = [Middleware(Requests), Middleware(SecurityHeaders)]
    if settings.root_path is not None:
        layers.insert(0, Middleware(Prefix, prefix=settings.root_path))
    if settings.compression:
        layers.append(Middleware(Compression))
    if not authentication_is_on(settings):
        layers.append(Middleware(LocalHostsOnly, origins=settings.allowed_origins))
    if settings.forwarded_allow_ips:  # after `LocalHostsOnly`, which a page could deceive with a forwarded host
        layers.append(Middleware(ForwardedHost, trusted=settings.forwarded_allow_ips))
    layers.append(Middleware(CheckOrigins, origins=origins))
    if settings.allowed_origins:
        allowed, headers = settings.allowed_origins, settings.allowed_headers
        layers.append(Middleware(Cors, origins=origins, allowed=allowed, headers=headers))
    return layers


class SecurityHeaders:
    """Adds the headers that keep a browser from misusing an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and add the headers to its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                said = {name for name, _ in headers}
                headers.extend([header for header in _RAW_HEADERS if header[0] not in said])
            await send(message)

        await self._app(scope, receive, send_with_headers)


class LocalHostsOnly:
    """Refuses requests for hosts other than this machine, if callers need no credentials.

    Otherwise any web page could read the service on its visitor's machine, by letting its own name resolve to
    127.0.0.1 (DNS rebinding). Such a name has a dot and is no address. The names of listed origins are served, too.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        any_host = "*" in origins
        names = {urlsplit(origin).hostname for origin in origins}

        @lru_cache(maxsize=256)
        def serves(host: str) -> bool:
            return any_host or is_local_name(host) or _name(host) in names

        self._serves = serves
        self._refused = OnceLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] in ("http", "websocket") and not self._serves(Headers(scope=scope).get("host", "")):
            text = "the host %r is refused: name its origin in RECALLQL_ALLOWED_ORIGINS, or set RECALLQL_AUTH=required"
            self._refused.warn(Headers(scope=scope).get("host", ""), text)
            error = Forbidden(
                "without authentication, only this machine's own names are served: call localhost or an address",
                setting="RECALLQL_AUTH",
            )
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            media_type = http.response_type(Headers(scope=scope).get("accept", ""))
            await http.refusal_response(http.refused(error), media_type=media_type)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_local_name(host: str) -> bool:
    """Whether a `Host` header can't be a name that a foreign name server resolves."""
    name = _name(host)
    if name is None:
        return False
    if "." not in name or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str | None:
    """The name in a `Host` header, without its port; None where it has no readable name."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return None
