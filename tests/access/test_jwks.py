"""Keys that an identity provider publishes: no provider, whatever it does, holds up requests or fills memory."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from graph.access import jwks
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import as_caller, served_with, token
from tests.support.graphql_client import Client
from tests.support.tcp import tcp_server

ONE, TWO = (rsa.generate_private_key(65537, 2048) for _ in range(2))
HUGE = 300_000_000


class Provider:
    """A JWKS server, which behaves as `mode` says.

    Attributes:
        mode: `good`, `broken` (status 500), `hang` (no answer), `drip` (a byte now and then) or `huge` (300 MB).
        keys: the keys that it publishes, by id.
        fetches: connections so far.
        ended: set when the other end closed a connection that was not answered.
        sent: bytes of a huge answer that were taken.
    """

    def __init__(self) -> None:
        self.mode = "good"
        self.keys: dict[str, Any] = {"one": ONE}
        self.fetches = 0
        self.sent = 0
        self.ended = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.fetches += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            await getattr(self, f"_{self.mode}")(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.ended.set()

    async def _good(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        items = [
            {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig"}
            for key_id, key in self.keys.items()
        ]
        body = json.dumps({"keys": [*items, {"kty": "unknown here", "kid": "x"}]}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    async def _broken(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async def _hang(self, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def _drip(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        closed = asyncio.ensure_future(reader.read())
        while not closed.done():
            writer.write(b" ")
            await asyncio.wait([closed], timeout=0.05)

    async def _huge(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % HUGE)
        while self.sent < HUGE:
            writer.write(b" " * 65_536)
            await writer.drain()
            self.sent += 65_536


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    async with tcp_server(made.serve) as port:
        made.url = f"http://127.0.0.1:{port}/keys"
        yield made


def signed(key_id: str, key: Any = ONE) -> str:
    return token(key=key, algorithm="RS256", kid=key_id)


async def status(client: Client, bearer: str) -> int:
    response = await as_caller(client, bearer).http.post("/graphql", json={"query": "{ __typename }"})
    return response.status_code


async def until(client: Client, bearer: str, wanted: int) -> None:
    async with asyncio.timeout(30):
        while await status(client, bearer) != wanted:  # noqa: ASYNC110 - it is over HTTP that it shows
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("mode", ["hang", "drip", "huge", "broken"])
async def test_a_provider_that_fails_stalls_no_request_whose_key_is_known(
    settings: Settings, mongodb_uri: str, database: Database, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    del database
    async with provider() as published, served_with(settings, mongodb_uri, jwt_jwks_url=published.url) as client:
        assert await status(client, signed("one")) == 200
        published.mode = mode
        monkeypatch.setattr(jwks, "LIFETIME", 0.0)
        monkeypatch.setattr(jwks, "PAUSE", 0.0)
        began, fetched = time.monotonic(), published.fetches
        for _ in range(20):
            assert await status(client, signed("one")) == 200
        assert time.monotonic() - began < 5 * jwks.TIMEOUT  # 20 where each request waits for a fetch
        assert published.fetches > fetched
        assert await status(client, signed("no")) == 503  # it may be published: nobody can say now


@pytest.mark.parametrize(
    ("mode", "said"), [("hang", "within 0.5 sec"), ("drip", "within 0.5 sec"), ("huge", "more than 262,144 bytes")]
)
async def test_a_fetch_is_bounded_in_time_and_bytes(  # noqa: PLR0917 - fixtures
    settings: Settings,
    mongodb_uri: str,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: str,
    said: str,
) -> None:
    del database
    caplog.set_level(logging.WARNING, "graph")
    monkeypatch.setattr(jwks, "TIMEOUT", 30.0 if mode == "huge" else 0.5)
    async with provider() as published:
        published.mode = mode
        async with served_with(settings, mongodb_uri, jwt_jwks_url=published.url) as client:
            assert await status(client, signed("one")) == 503
            async with asyncio.timeout(30):
                await published.ended.wait()
            await until(client, signed("one"), 503)
            assert published.sent < HUGE / 10  # what the kernel's buffers take
            assert published.fetches == 1
    assert [record for record in caplog.records if said in record.getMessage()]


async def test_keys_that_can_not_be_fetched_at_first_are_fetched_later(
    settings: Settings, mongodb_uri: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database
    monkeypatch.setattr(jwks, "PAUSE", 0.05)
    async with provider() as published:
        published.mode = "broken"
        async with served_with(settings, mongodb_uri, jwt_jwks_url=published.url) as client:
            assert await status(client, signed("one")) == 503
            published.mode = "good"
            await until(client, signed("one"), 200)
            assert await status(client, signed("one", TWO)) == 401


async def test_withdrawn_keys_go_without_a_request_and_stale_ones_after_a_day(
    settings: Settings, mongodb_uri: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database
    assert jwks.LONGEST_AGE == 24 * 3600
    monkeypatch.setattr(jwks, "LIFETIME", 0.05)
    async with provider() as published, served_with(settings, mongodb_uri, jwt_jwks_url=published.url) as client:
        assert await status(client, signed("one")) == 200
        published.keys = {"two": TWO}
        fetched = published.fetches
        async with asyncio.timeout(30):
            while published.fetches < fetched + 2:  # noqa: ASYNC110 - no request is sent meanwhile
                await asyncio.sleep(0.02)
        assert await status(client, signed("one")) == 401
        assert await status(client, signed("two", TWO)) == 200
        published.keys = {}
        await until(client, signed("two", TWO), 401)
        published.keys = {"two": TWO}
        await until(client, signed("two", TWO), 200)
        published.mode = "broken"
        assert await status(client, signed("two", TWO)) == 200
        monkeypatch.setattr(jwks, "LONGEST_AGE", 0.0)
        assert await status(client, signed("two", TWO)) == 503
