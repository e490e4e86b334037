"""HTTP clients of other services: their addresses, their headers, and the proxy on the way to them."""

from __future__ import annotations

import os
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from graph.addresses import is_loopback_name, web_address
from graph.errors import StartupError
from graph.telemetry.steps import traceparent

_BRACKETS = str.maketrans("", "", "[]")


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
    # Not httpx's own look at the environment, which takes no IPv6 address in brackets in NO_PROXY.
    verify = httpx.create_ssl_context()
    variable, proxy = _proxy_of(url)
    try:
        hooks = {"request": [_add_traceparent]}
        return httpx.AsyncClient(trust_env=False, verify=verify, proxy=proxy, event_hooks=hooks, **options)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # Without its value: that may hold a password.
        message = f"{variable} names a proxy that can't be used ({_reason(error)})"
        raise UnusableProxyError(message) from None


async def _add_traceparent(request: httpx.Request) -> None:
    """Let the other service continue the present trace, if there is one."""
    if sent := traceparent():
        request.headers["traceparent"] = sent


def _proxy_of(url: httpx.URL) -> tuple[str, str | None]:
    """The variable of the environment that names the proxy on the way to a server, and the proxy; None for none."""
    proxies = getproxies()
    direct = {"no": proxies.get("no", "").translate(_BRACKETS)}
    kind = next((kind for kind in (url.scheme, "all") if proxies.get(kind)), None)
    if kind is None or is_loopback_name(url.host) or proxy_bypass(url.host, direct):
        return "", None
    proxy = proxies[kind]
    names = [name for name, value in os.environ.items() if name.lower() == f"{kind}_proxy" and value]
    return " or ".join(sorted(names)) or "this system", proxy if "://" in proxy else f"http://{proxy}"


def _reason(error: Exception) -> str:
    if isinstance(error, ImportError):
        return "a SOCKS proxy needs the package socksio"
    if isinstance(error, httpx.InvalidURL):
        return "its address is malformed"
    return "a proxy's address begins with http://, https:// or socks5://"
