"""JSON Web Tokens of end users: which keys sign them, and what is checked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError

from graph.access.caller import Caller, Right
from graph.errors import StartupError, Unauthenticated, Unavailable
from graph.settings import Settings
from graph.store.scope import Scope

log = logging.getLogger("recallql")

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_ASYMMETRIC = frozenset({*_RSA, *_CURVES.values(), "EdDSA"})

_JWKS_LIFETIME = 300.0  # seconds
_JWKS_PAUSE = 10.0  # seconds between fetches, whatever unknown key ids callers send
_JWKS_TIMEOUT = 5.0  # seconds
_MAX_SUBJECT_BYTES = 512  # as for any user id


class _SigningKey(NamedTuple):
    key: Any
    algorithms: Sequence[str]


class _Keys(Protocol):
    async def find(self, token: str) -> _SigningKey:
        """The key that must have signed the token; raises `Unauthenticated` when there is none."""


class _OneKey:
    """A key from the settings. The algorithm is the key's, never the token's choice."""

    def __init__(self, key: Any, algorithms: Sequence[str]) -> None:
        self._key = _SigningKey(key, algorithms)

    async def find(self, token: str) -> _SigningKey:  # noqa: ARG002
        return self._key


class _PublishedKeys:
    """The keys at a JWKS address: fetched when first needed, again after a while, and for an unknown key id."""

    def __init__(self, url: str) -> None:
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=_JWKS_TIMEOUT)
        self._keys: dict[str | None, _SigningKey] = {}
        self._tried_at = self._fetched_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, token: str) -> _SigningKey:
        key_id = jwt.get_unverified_header(token).get("kid")
        at = time.monotonic()
        if at - self._fetched_at > _JWKS_LIFETIME or key_id not in self._keys:
            async with self._lock:
                await self._refresh(key_id)
        if key_id not in self._keys:
            if self._fetched_at == float("-inf"):
                raise Unavailable("the keys that sign tokens can't be fetched at the moment: try again")
            raise Unauthenticated("the token is signed with an unknown key")
        return self._keys[key_id]

    async def _refresh(self, key_id: str | None) -> None:
        at = time.monotonic()
        if at - self._tried_at < _JWKS_PAUSE or (key_id in self._keys and at - self._fetched_at <= _JWKS_LIFETIME):
            return
        self._tried_at = at
        try:
            published = await asyncio.to_thread(self._client.get_signing_keys)
        except (PyJWKClientConnectionError, jwt.PyJWTError, ValueError) as error:
            # Keys once fetched go on to be used: an identity provider's pause is no reason to lock everyone out.
            log.warning("the keys at RECALLQL_JWT_JWKS_URL can't be fetched: %s", error)
            return
        usable = [key for key in published if key.algorithm_name in _ASYMMETRIC]
        self._keys = {key.key_id: _SigningKey(key.key, [key.algorithm_name]) for key in usable}
        if len(usable) == 1:
            self._keys[None] = self._keys[usable[0].key_id]
        self._fetched_at = time.monotonic()


class TokenChecker:
    """Checks tokens as the settings say."""

    def __init__(self, settings: Settings) -> None:
        """Read the key.

        Raises:
            StartupError: more than one kind of key is set, or the key is unusable.
        """
        self._settings = settings
        self._keys = _keys(settings)

    async def check(self, token: str) -> Caller:
        """The caller that a token speaks for.

        Raises:
            Unauthenticated: it is no valid token; the message says why, and never quotes it.
            Unavailable: the keys can't be fetched.
        """
        settings = self._settings
        try:
            key, algorithms = await self._keys.find(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=algorithms,
                issuer=settings.jwt_issuer,
                audience=settings.jwt_audience,
                leeway=settings.jwt_leeway,
                options={"require": ["exp", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(_reason(error)) from None
        subject: str = claims["sub"]
        if not _is_user_id(subject):
            message = f"the token's sub is no user id: it must have 1 to {_MAX_SUBJECT_BYTES} bytes of UTF-8, none NUL"
            raise Unauthenticated(message)
        return Caller(f"user:{subject}", Scope(user_id=subject), Right.WRITE, int(claims["exp"]) + settings.jwt_leeway)


def _is_user_id(subject: str) -> bool:
    try:
        return 0 < len(subject.encode()) <= _MAX_SUBJECT_BYTES and "\0" not in subject
    except UnicodeEncodeError:
        return False


def _reason(error: jwt.PyJWTError) -> str:
    reasons: dict[type[jwt.PyJWTError], str] = {
        jwt.ExpiredSignatureError: "the token has expired",
        jwt.ImmatureSignatureError: "the token is not valid yet",
        jwt.InvalidIssuerError: "the token's issuer is not accepted here",
        jwt.InvalidAudienceError: "the token is not meant for this service (aud)",
        jwt.MissingRequiredClaimError: f"{error}",
        jwt.InvalidAlgorithmError: "the token is signed with an algorithm that is not accepted here",
        jwt.InvalidSignatureError: "the token's signature is wrong",
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    return "the token is not a valid JWT"


def _keys(settings: Settings) -> _Keys:
    given = {
        "RECALLQL_JWT_SECRET": settings.jwt_secret,
        "RECALLQL_JWT_PUBLIC_KEY": settings.jwt_public_key,
        "RECALLQL_JWT_JWKS_URL": settings.jwt_jwks_url,
    }
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        message = f"{' and '.join(names)} are set: only one kind of key can sign tokens"
        raise StartupError(message)
    if settings.jwt_secret is not None:
        secret = settings.jwt_secret.get_secret_value().encode()
        if len(secret) < 32:
            message = f"RECALLQL_JWT_SECRET has {len(secret)} bytes, and HS256 needs 32 or more: openssl rand -hex 32"
            raise StartupError(message)
        return _OneKey(secret, ["HS256"])
    if settings.jwt_public_key is not None:
        return _public_key(settings.jwt_public_key)
    assert settings.jwt_jwks_url is not None  # noqa: S101 - `Authenticator` asks first
    address = urlsplit(settings.jwt_jwks_url)
    if address.scheme != "https" and not (
        address.scheme == "http" and address.hostname in {"localhost", "127.0.0.1", "::1"}
    ):
        raise StartupError("RECALLQL_JWT_JWKS_URL must be an https address")
    return _PublishedKeys(settings.jwt_jwks_url)


def _public_key(given: str) -> _OneKey:
    """A key from PEM text, or from a file of it."""
    try:
        pem = given.replace("\\n", "\n") if given.lstrip().startswith("-----BEGIN") else Path(given).read_text()
        key = load_pem_public_key(pem.encode())
    except OSError as error:
        message = f"RECALLQL_JWT_PUBLIC_KEY is neither PEM text nor a readable file ({error.strerror})"
        raise StartupError(message) from None
    except (ValueError, UnsupportedAlgorithm):
        raise StartupError("RECALLQL_JWT_PUBLIC_KEY is no public key in PEM (-----BEGIN PUBLIC KEY-----)") from None
    if isinstance(key, RSAPublicKey) and key.key_size >= 2048:
        return _OneKey(key, _RSA)
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return _OneKey(key, [_CURVES[key.curve.name]])
    if isinstance(key, Ed25519PublicKey):
        return _OneKey(key, ["EdDSA"])
    raise StartupError("RECALLQL_JWT_PUBLIC_KEY must be RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519")
