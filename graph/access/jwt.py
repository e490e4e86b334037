"""JSON Web Tokens (RFC 7519) of end users: the keys that sign them, and the checks of their claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from graph.access.caller import Caller, Right
from graph.access.jwks import CURVES, RSA, PublishedKeys, SigningKey
from graph.errors import StartupError, Unauthenticated
from graph.settings import Settings
from graph.store.scope import Scope

_MAX_SUBJECT_BYTES = 512  # as for any user id
_LAST_TIME = 253_402_300_799  # the end of the year 9999, in Unix time: MongoDB, Python and JSON readers can hold it


class _Keys(Protocol):
    async def find(self, token: str) -> SigningKey:
        """Return the key that must have signed the token; raise `Unauthenticated` when the key is unknown."""


class _OneKey:
    """A key from the settings. The algorithm is the key's, never the token's choice."""

    def __init__(self, key: Any, algorithms: Sequence[str]) -> None:
        self._key = SigningKey(key, algorithms)

    async def find(self, token: str) -> SigningKey:  # noqa: ARG002
        return self._key


class TokenChecker:
    """Checks tokens as the settings say."""

    def __init__(self, settings: Settings) -> None:
        """Read the key.

        Raises:
            StartupError: more than one kind of key is set, or the key is unusable.
        """
        self._settings = settings
        self._keys = _keys(settings)
        self._roles = frozenset(settings.jwt_roles)

    def start(self) -> None:
        """Begin to fetch published keys, so that the first requests find them."""
        if isinstance(self._keys, PublishedKeys):
            self._keys.start()

    async def close(self) -> None:
        """Stop fetching published keys."""
        if isinstance(self._keys, PublishedKeys):
            await self._keys.close()

    async def check(self, token: str) -> Caller:
        """Return the caller that a token identifies.

        Raises:
            Unauthenticated: the token is not valid; the message gives the reason and never quotes the token.
            Unavailable: the keys can't be fetched.
        """
        settings = self._settings
        try:
            key, algorithms = await self._keys.find(token)
            claims: Mapping[str, Any] = jwt.decode(
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
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
            # PyJWT raises other errors for claims of unexpected types, in tokens with a valid signature.
            raise Unauthenticated(_reason(jwt.DecodeError())) from None
        _check_times(claims)
        subject = claims["sub"]
        if not _is_user_id(subject):
            message = f"the token's sub is not a user id: send 1 to {_MAX_SUBJECT_BYTES} bytes of UTF-8 without NUL"
            raise Unauthenticated(message)
        prefix = _session_prefix(settings.jwt_session_prefix, subject)
        scope = Scope(subject, prefix, self._roles)
        return Caller(f"user:{subject}", scope, Right.WRITE, int(claims["exp"]) + settings.jwt_leeway)


def _session_prefix(template: str | None, subject: str) -> str:
    """Return the required prefix of the ids of sessions that the user creates.

    No user's prefix may begin with another user's prefix, so the text after `{sub}` must not occur in the user's id.

    Raises:
        Unauthenticated: the user's id holds the text after `{sub}`.
    """
    if template is None:
        return ""
    end = template.partition("{sub}")[2]
    if (subject + end).find(end) != len(subject):
        message = f"the token's sub must not hold {end!r}, the text that follows it in the ids of sessions"
        raise Unauthenticated(message)
    return template.replace("{sub}", subject)


def _check_times(claims: Mapping[str, Any]) -> None:
    """Refuse times that are not a NumericDate (RFC 7519, section 2): PyJWT accepts texts, booleans and any size.

    Raises:
        Unauthenticated: a claim is not a NumericDate.
    """
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name, 0)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= _LAST_TIME:  # false for NaN
            message = f"the token's {name} is not a time: send a number of seconds from 0 to {_LAST_TIME}"
            raise Unauthenticated(message)


def _is_user_id(subject: object) -> bool:
    if not isinstance(subject, str):
        return False
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
    values_of_settings = {
        "RECALLQL_JWT_SECRET": settings.jwt_secret,
        "RECALLQL_JWT_PUBLIC_KEY": settings.jwt_public_key,
        "RECALLQL_JWT_JWKS_URL": settings.jwt_jwks_url,
    }
    names = [name for name, value in values_of_settings.items() if value is not None]
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
    assert settings.jwt_jwks_url is not None  # noqa: S101 - `Authenticator` makes a checker only where a key is set
    return PublishedKeys(settings.jwt_jwks_url)


def _public_key(text: str) -> _OneKey:
    """Read a key from PEM text, or from the path of a PEM file."""
    try:
        pem = text.replace("\\n", "\n") if text.lstrip().startswith("-----BEGIN") else Path(text).read_text()
        key = load_pem_public_key(pem.encode())
    except OSError as error:
        message = f"RECALLQL_JWT_PUBLIC_KEY is neither PEM text nor a readable file ({error.strerror})"
        raise StartupError(message) from None
    except (ValueError, UnsupportedAlgorithm):
        raise StartupError("RECALLQL_JWT_PUBLIC_KEY is not a public key in PEM (-----BEGIN PUBLIC KEY-----)") from None
    if isinstance(key, RSAPublicKey) and key.key_size >= 2048:
        return _OneKey(key, RSA)
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in CURVES:
        return _OneKey(key, [CURVES[key.curve.name]])
    if isinstance(key, Ed25519PublicKey):
        return _OneKey(key, ["EdDSA"])
    raise StartupError("RECALLQL_JWT_PUBLIC_KEY must be RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519")
