"""Callers of tests: an application that requires authentication, and tokens for it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt

from graph.app import create_app
from graph.settings import Settings
from tests.support.graphql_client import Client, serving

SECRET = "a secret of tests, of more than thirty-two bytes"


def token(user_id: str | None = "ada", *, key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A JWT for a user, valid for an hour unless the claims say otherwise; None leaves a claim out."""
    wanted = {"sub": user_id, "exp": int(time.time()) + 3600, **claims}
    headers = {"kid": wanted.pop("kid")} if "kid" in wanted else None
    return jwt.encode({k: v for k, v in wanted.items() if v is not None}, key, algorithm, headers=headers)


def changed(settings: Settings, **changes: Any) -> Settings:
    """The settings with some changed."""
    assert changes.keys() <= type(settings).model_fields.keys(), changes
    return settings.model_copy(update=changes)


@asynccontextmanager
async def served_with(settings: Settings, mongodb_uri: str, **changes: Any) -> AsyncIterator[Client]:
    """A client of an application whose settings differ so."""
    async with serving(create_app(changed(settings, **changes), mongodb_uri)) as client:
        yield client


def as_caller(client: Client, bearer: str | None) -> Client:
    """The same client with these credentials from now on."""
    client.http.headers.pop("authorization", None)
    if bearer is not None:
        client.http.headers["authorization"] = f"Bearer {bearer}"
    return client
