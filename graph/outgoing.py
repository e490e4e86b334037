"""HTTP clients of other services: their addresses, their headers, and the proxy on the way to them."""

from __future__ import annotations

import os
from typing import Any

import httpx

from graph.addresses import is_loopback_name, web_address
from graph.errors import StartupError


class UnusableProxyError(StartupError):
    """A variable of the environment names a proxy that can't be used; the message says which one."""


def server_url(text: str, name: str) -> httpx.URL:
    """The address of a server.

    Args:
        text: as it was given.
        name: the setting or argument, for the error.

    Raises:
        StartupError: it is no address, or holds a password, which logs would show.
    """
    try:
        web_address(text)
        url = httpx.URL(text.strip())
    except (ValueError, httpx.InvalidURL):
        raise StartupError(
            f"{name} is not a URL of http:// or https://, a host and a port of 1 to 65535: give one such as"
            " http://localhost:8000"
        ) from None
    if url.userinfo:
        raise StartupError(f"{name} holds a user or password, which logs would show: give the key apart from it")
    return url


def bearer(key: str | None, name: str) -> dict[str, str]:
    """The header that carries a key; no header without one.

    Args:
        key: the key.
        name: the setting or flag, for the error.

    Raises:
        StartupError: no header can carry it.
    """
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise StartupError(f"{name} holds characters that no HTTP header can carry: only printable ASCII can be sent")
    return {"authorization": f"Bearer {key}"} if key else {}


def client_of(url: httpx.URL, **options: Any) -> httpx.AsyncClient:
    """A client for one server, by the proxy that the environment names; loopback is reached directly.

    Args:
        url: the server.
        options: those of `httpx.AsyncClient`.

    Raises:
        UnusableProxyError: the environment names a proxy that can't be used.
    """
    if is_loopback_name(url.host):
        return httpx.AsyncClient(trust_env=False, verify=httpx.create_ssl_context(), **options)
    try:
        return httpx.AsyncClient(**options)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise UnusableProxyError(_unusable_proxy(error)) from None


def _unusable_proxy(error: Exception) -> str:
    """The variable of the environment that an error of httpx is due to, without its value: that may hold a password."""
    for name, value in sorted(os.environ.items()):
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy") and value:
            try:
                httpx.AsyncHTTPTransport(proxy=value if "://" in value else f"http://{value}")
            except (ImportError, ValueError, httpx.InvalidURL) as cause:
                return f"{name} names a proxy that can't be used ({_reason(cause)})"
    names = [name for name, value in sorted(os.environ.items()) if name.lower() == "no_proxy" and value]
    return f"{' or '.join(names) or 'the proxy of this system'} can't be used ({_reason(error)})"


def _reason(error: Exception) -> str:
    if isinstance(error, ImportError):
        return "a SOCKS proxy needs the package socksio"
    if isinstance(error, httpx.InvalidURL):
        return "an address in it is malformed: an IPv6 address stands without brackets in NO_PROXY"
    return "a proxy's address begins with http://, https:// or socks5://"
