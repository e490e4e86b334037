"""Addresses of web servers and of web pages' origins, as people write them."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SHOWN = 100  # characters of a wrong origin


def web_address(text: str) -> SplitResult:
    """The parts of the address of a web server.

    Raises:
        ValueError: it has not the form of one.
    """
    found = _address(text)
    if found.scheme not in _DEFAULT_PORTS:
        raise ValueError("an address begins with http:// or https:// and a host")
    return found


def origin(text: str) -> str:
    """An origin as browsers send it: in lower case, and without the scheme's own port or a slash at its end.

    Raises:
        ValueError: it is neither an origin nor `*`.
    """
    if text == "*":
        return text
    try:
        found = _address(text)
        only_origin = found.path in ("", "/") and not (found.query or found.fragment or found.username is not None)
    except ValueError:
        only_origin = False
    if not only_origin:
        raise ValueError(f"an origin is a scheme and a host, as https://app.example.com, not {text[:_SHOWN]!r}")
    host = _ascii(found.hostname)
    host = f"[{host}]" if ":" in host else host
    own = found.port is None or found.port == _DEFAULT_PORTS.get(found.scheme)
    return f"{found.scheme}://{host}" if own else f"{found.scheme}://{host}:{found.port}"


def is_loopback_name(host: str) -> bool:
    """Whether a name or address is this machine's own by its form alone; no name server is asked."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _address(text: str) -> SplitResult:
    """The parts of an address with a scheme and a host; raises `ValueError` for anything else."""
    text = text.strip()
    try:
        found = urlsplit(text)
        usable = bool(found.scheme and found.hostname) and found.port != 0 and not re.search(r"\s", text)
        _ascii(found.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "an address begins with a scheme such as https:// and a host; a port is a number from 1 to 65535"
        )
    return found


def _ascii(host: str | None) -> str:
    """A host as DNS and browsers write it; raises `ValueError` when it can't be one."""
    return (host or "").encode("idna").decode()
