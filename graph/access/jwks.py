"""The keys that an identity provider publishes (JWKS, RFC 7517), fetched in the background.

No request waits for the provider while the key that signed its token is known. A provider that hangs, sends slowly or
sends too much costs one connection and `MAX_BYTES`, independent of the number of requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
import jwt
from jwt import PyJWK

from graph.addresses import is_loopback_name
from graph.errors import StartupError, Unauthenticated, Unavailable
from graph.outgoing import client_of, server_url

logger = logging.getLogger(__name__)

RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_ASYMMETRIC = frozenset({*RSA, *CURVES.values(), "EdDSA"})
_SETTING = "RECALLQL_JWT_JWKS_URL"

LIFETIME = 300.0
"""Seconds after which the keys are fetched again, so the maximum time for which a withdrawn key is accepted."""
LONGEST_AGE = 86_400.0
"""Seconds for which the last keys are accepted while fetches fail, so that a provider's outage locks no one out."""
PAUSE = 10.0
"""Minimum seconds between fetches after a failure, or for unknown key ids."""
TIMEOUT = 5.0
"""Seconds that one fetch may take, from the connection to the last byte."""
MAX_BYTES = 262_144
"""Maximum bytes of a key set: the largest published ones have about 20 KiB."""
PATIENCE = 1.0
"""Maximum seconds, from the start of a fetch, that a token with an unknown key waits for the fetch."""


class SigningKey(NamedTuple):
    """A key and the algorithms allowed with it."""

    key: Any
    algorithms: Sequence[str]


class PublishedKeys:
    """The keys at one address. An instance belongs to the event loop that first uses it."""

    def __init__(self, url: str) -> None:
        """Check the address; nothing is fetched yet.

        Raises:
            StartupError: the text is not an address, its keys could be forged (http), or the environment names a
                proxy that can't be used.
        """
        address = server_url(url, _SETTING)
        if address.scheme != "https" and not is_loopback_name(address.host):
            message = f"{_SETTING} must be an https address: keys that come by http could be forged"
            raise StartupError(message)
        self._url = address
        self._client = client_of(address, timeout=TIMEOUT)
        self._keys: dict[str | None, SigningKey] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._failed, self._tried = True, False
        self._fetch: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Fetch the keys now and from now on, until `close`; call it within the event loop."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._keep_fresh())

    async def close(self) -> None:
        """Stop fetching keys."""
        tasks = [task for task in (self._refreshing, self._fetch) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def find(self, token: str) -> SigningKey:
        """Return the key that must have signed the token.

        Raises:
            PyJWTError: the token has no readable header.
            Unauthenticated: no such key is published.
            Unavailable: the keys can't be fetched now, or are older than `LONGEST_AGE`.
        """
        key_id = jwt.get_unverified_header(token).get("kid")
        if self._is_due(key_id):
            self._begin()
        if self._cached(key_id) is None and self._fetch is not None:
            left = self._tried_at + PATIENCE - time.monotonic()
            await asyncio.wait([self._fetch], timeout=max(0.0, left))
        key = self._cached(key_id)
        if key is not None:
            return key
        if self._failed or self._fetch is not None or self._are_stale():
            raise Unavailable("the keys that sign tokens can't be fetched at the moment: try again")
        raise Unauthenticated("the token is signed with an unknown key")

    def _cached(self, key_id: str | None) -> SigningKey | None:
        return None if self._are_stale() else self._keys.get(key_id)

    def _are_stale(self) -> bool:
        return time.monotonic() - self._fetched_at > LONGEST_AGE

    def _is_due(self, key_id: str | None) -> bool:
        at = time.monotonic()
        return at - self._tried_at >= PAUSE and (at - self._fetched_at >= LIFETIME or self._cached(key_id) is None)

    def _begin(self) -> asyncio.Task[None]:
        """Return the task of the current fetch, or start one."""
        if self._fetch is None:
            self._tried_at = time.monotonic()
            self._fetch = asyncio.create_task(self._refresh())
            self._fetch.add_done_callback(self._end)
        return self._fetch

    def _end(self, _fetch: asyncio.Task[None]) -> None:
        self._fetch = None

    async def _keep_fresh(self) -> None:
        """Fetch the keys again at the end of their lifetime, even if no request comes."""
        while True:  # not a retry: the pause depends on the outcome of the fetch, for which requests wait, too
            await asyncio.wait([self._begin()])
            await asyncio.sleep(PAUSE if self._failed else LIFETIME)

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                keys = await self._published()
        except Exception as error:  # noqa: BLE001 - after any failure, the keys fetched before stay in use
            reason = f"no whole answer within {TIMEOUT:g} seconds" if isinstance(error, TimeoutError) else str(error)
            again = self._failed and self._tried  # one warning for an outage, not one for each fetch
            level = logging.DEBUG if again else logging.WARNING
            logger.log(level, "the keys at %s can't be fetched: %s", _SETTING, reason or repr(error))
            self._failed = self._tried = True
            return
        if not keys:
            logger.warning("%s publishes no key that can sign tokens: every token is refused", _SETTING)
        self._keys, self._fetched_at, self._failed = keys, time.monotonic(), False
        self._tried = True

    async def _published(self) -> dict[str | None, SigningKey]:
        # Not compressed: the bound is in bytes, and a small compressed answer can decompress to any size.
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        body = bytearray()
        async with self._client.stream("GET", self._url, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                message = f"the status is {response.status_code}, not 200"
                raise ValueError(message)
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    message = f"the answer has more than {MAX_BYTES:,} bytes"
                    raise ValueError(message)
        return await asyncio.to_thread(_usable, bytes(body))


def _usable(body: bytes) -> dict[str | None, SigningKey]:
    """Return the signing keys of a JSON key set by their id; the key of a set of one also under None.

    Raises:
        ValueError: the text is not a JSON key set.
    """
    published = json.loads(body)
    items = published.get("keys") if isinstance(published, dict) else None
    if not isinstance(items, list):
        raise ValueError("the answer is not a key set, a JSON object with a list of keys")  # noqa: TRY004 - of a text
    usable = []
    for item in items:
        # Keys of unknown kinds may be in the set, and are ignored.
        with contextlib.suppress(jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
            key = PyJWK(item)
            if key.algorithm_name in _ASYMMETRIC and key.public_key_use in (None, "sig"):
                usable.append(key)
    keys: dict[str | None, SigningKey] = {
        key.key_id: SigningKey(key.key, [key.algorithm_name]) for key in usable if isinstance(key.key_id, str)
    }
    if len(usable) == 1:
        keys[None] = SigningKey(usable[0].key, [usable[0].algorithm_name])
    return keys
