"""From an `Authorization` header to a caller: the one check that HTTP, WebSocket, SSE and the Zep routes share."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from graph.access import keys
from graph.access.caller import ANYONE, Caller
from graph.errors import StartupError, Unauthenticated
from graph.settings import Settings
from graph.store.database import Database
from graph.store.driver.client import time_limit
from graph.store.scope import EVERYTHING

if TYPE_CHECKING:
    from graph.access.jwt import TokenChecker


def authentication_is_on(settings: Settings) -> bool:
    """Whether callers must authenticate."""
    if settings.auth == "auto":
        return _accepts_jwt(settings)
    return settings.auth == "required"


def _accepts_jwt(settings: Settings) -> bool:
    return any(key is not None for key in (settings.jwt_secret, settings.jwt_public_key, settings.jwt_jwks_url))


def _token_checker(settings: Settings) -> TokenChecker:
    from graph.access.jwt import TokenChecker  # noqa: PLC0415 - cryptography and a web client: a quarter of the imports

    return TokenChecker(settings)


class Authenticator:
    """Finds out who asks."""

    def __init__(self, settings: Settings) -> None:
        """Read the keys that sign tokens.

        Raises:
            StartupError: a key in the settings can't be used.
        """
        self.on = authentication_is_on(settings)
        self._seconds = settings.database_timeout
        self._tokens = _token_checker(settings) if self.on and _accepts_jwt(settings) else None

    def start(self) -> None:
        """Begin to fetch published keys, so that the first requests find them."""
        if self._tokens is not None:
            self._tokens.start()

    async def close(self) -> None:
        """Stop fetching published keys."""
        if self._tokens is not None:
            await self._tokens.close()

    async def authenticate(self, database: Database, authorization: str | None) -> Caller:
        """Return the caller with this `Authorization` header, or with the same text in a WebSocket's `connection_init`.

        Args:
            database: where service keys are kept.
            authorization: `Bearer` and a service key or JWT.

        Raises:
            Unauthenticated: the header is missing, or its key or token is unknown, expired or revoked.
            Unavailable: MongoDB or the address of the published keys can't be reached.
        """
        if not self.on:
            return ANYONE
        scheme, _, token = (authorization or "").strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            kinds = "a service key or JWT" if self._tokens else "a service key"
            message = f"authentication is required: send the header Authorization: Bearer and {kinds}"
            raise Unauthenticated(message)
        if token.startswith(keys.PREFIX):
            # Without the limits, a MongoDB that hangs would block the request.
            with time_limit(self._seconds):
                async with database.presence.needed():
                    key = await keys.find_valid_key(database, token)
            if key is None:
                raise Unauthenticated("the service key is unknown or revoked")
            return Caller(f"key:{key.id}", EVERYTHING, key.right, key_id=key.id)
        if self._tokens is None:
            raise Unauthenticated(
                "the credentials are not a service key (rql_…), and JWTs are not configured here: send a service key"
            )
        return await self._tokens.check(token)


def check_exposure(settings: Settings) -> None:
    """Refuse an address that other machines can reach while authentication is off.

    Raises:
        StartupError: the address is not loopback, and authentication is off.
    """
    if authentication_is_on(settings) or settings.auth == "off-anywhere" or is_loopback(settings.host):
        return
    message = (
        f"RECALLQL_HOST {settings.host[:100]} can be reached from other machines, and authentication is off: set"
        " RECALLQL_AUTH=required and make a key with `recallql key create NAME`, or set RECALLQL_JWT_JWKS_URL,"
        " RECALLQL_JWT_PUBLIC_KEY or RECALLQL_JWT_SECRET; or listen on 127.0.0.1"
    )
    raise StartupError(message)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host or None, None, flags=socket.AI_PASSIVE)}
    except (OSError, UnicodeError):  # the latter of a name too long for DNS
        return False
    return bool(found) and all(ipaddress.ip_address(str(address)).is_loopback for address in found)
