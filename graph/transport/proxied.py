"""Requests that a reverse proxy passes on: the prefix of their paths, and the host that the client called."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = b"host"
_FORWARDED_HOST = b"x-forwarded-host"


class Prefix:
    """Middleware that takes the prefix off the paths that have it.

    Some proxies pass the prefix on and some don't, so that both forms of a path are served.

    Args:
        app: the application, which gets paths without the prefix.
        prefix: begins with a slash, and does not end with one.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._raw = prefix.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with the path that the routes have."""
        if scope["type"] in ("http", "websocket"):
            path = f"{scope['path']}/"
            raw = scope.get("raw_path", b"") + b"/"
            if path.startswith(f"{self._prefix}/") and raw.startswith(self._raw + b"/"):
                rest, raw_rest = path[len(self._prefix) : -1], raw[len(self._raw) : -1]
                scope = {**scope, "path": rest or "/", "raw_path": raw_rest or b"/"}
        await self._app(scope, receive, send)


class ForwardedHost:
    """Middleware that takes the host from `X-Forwarded-Host` where a trusted proxy sends it.

    A page may call the service that served it, and its browser sends the address of that in `Origin`: behind a proxy
    that calls the service by another name, only the forwarded host is equal to it. Nothing else depends on the headers
    `X-Forwarded-*`: the service writes no address with a scheme or a host.

    Args:
        app: the application.
        trusted: the addresses and networks of proxies; `*` is any.
    """

    def __init__(self, app: ASGIApp, trusted: Collection[str]) -> None:
        self._app = app
        any_peer = "*" in trusted
        networks = [ip_network(one) for one in trusted if one != "*"]

        @lru_cache(maxsize=256)
        def trusts(peer: str) -> bool:
            if any_peer:
                return True
            try:
                address = ip_address(peer)
            except ValueError:
                return False
            address = getattr(address, "ipv4_mapped", None) or address  # of a server that listens on ::
            return any(address in network for network in networks)

        self._trusts = trusts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the forwarded host where it may be believed."""
        if scope["type"] in ("http", "websocket"):
            # Of a list, the last host is from the trusted proxy.
            sent = [value for name, value in scope["headers"] if name == _FORWARDED_HOST]
            host = sent[-1].rpartition(b",")[2].strip() if sent else b""
            if host and self._trusts((scope.get("client") or ("",))[0]):
                headers = [header for header in scope["headers"] if header[0] != _HOST]
                scope = {**scope, "headers": [*headers, (_HOST, host)]}
        await self._app(scope, receive, send)
