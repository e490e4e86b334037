"""Compressed answers and streams: what is sent, when, and what it says of itself."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import brotli
import httpx
import pytest
import zstandard
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from graph.bundle import IMMUTABLE, Assets
from graph.settings import Settings
from graph.transport.compression import Compression
from tests.support.access import served_with
from tests.support.graphql_client import Client, serving
from tests.support.json_lines import open_body
from tests.support.live import add
from tests.support.live_client import ADDED, socket_to
from tests.support.streams import EVENTS, MULTIPART

DECODED: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
    "br": brotli.decompress,
    "gzip": lambda body: zlib.decompress(body, 31),
}
LIST = "{ sessions(first: 100) { edges { cursor node { id uuid messageCount createdAt } } } }"
LARGE = b"".join(b"%d: what was said before, and by whom; " % number for number in range(400_000))  # 17 MB


async def sent(client: Client, method: str, path: str, accepts: str, **more: Any) -> tuple[httpx.Response, bytes]:
    """A response, with the bytes of its body as they were sent."""
    headers = {"accept-encoding": accepts, **more.pop("headers", {})}
    async with client.http.stream(method, path, headers=headers, **more) as response:
        return response, b"".join([part async for part in response.aiter_raw()])


@asynccontextmanager
async def serving_files(tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a large answer at `/large`, and of the files of a folder."""

    async def large(_request: Request) -> Response:
        return Response(LARGE, media_type="application/json")

    routes = [Route("/large", large), Mount("/assets", Assets(tmp_path, IMMUTABLE))]
    async with serving(Starlette(routes=routes, middleware=[Middleware(Compression)])) as client:
        yield client


@pytest.mark.parametrize("encoding", DECODED)
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_an_answer_is_compressed_as_the_client_accepts(client: Client, encoding: str, accept: str) -> None:
    for number in range(20):
        await add(client, f"s{number}")
    request = {"json": {"query": LIST}, "headers": {"accept": accept}}
    plain, body = await sent(client, "POST", "/graphql", "identity", **request)
    assert "content-encoding" not in plain.headers
    response, compressed = await sent(client, "POST", "/graphql", encoding, **request)
    assert response.headers["content-encoding"] == encoding
    assert response.headers["content-type"] == plain.headers["content-type"]
    assert int(response.headers["content-length"]) == len(compressed) < len(body) / 2
    assert DECODED[encoding](compressed) == body
    for one in (plain, response):
        assert {"Accept", "Accept-Encoding"} <= {name.strip() for name in one.headers["vary"].split(",")}


@pytest.mark.parametrize("accepts", ["", "identity", "gzip;q=0, br;q=0.0", "deflate"])
async def test_an_answer_stays_as_it_is_for_clients_that_accept_nothing(client: Client, accepts: str) -> None:
    await add(client, "s", 40)
    response, body = await sent(client, "GET", "/api/v1/sessions/s/memory?lastn=40", accepts)
    assert "content-encoding" not in response.headers
    assert int(response.headers["content-length"]) == len(body) > 1_024


async def test_answers_of_zep_are_compressed_and_short_ones_are_not(client: Client) -> None:
    await add(client, "s", 40)
    response, body = await sent(client, "GET", "/api/v1/sessions/s/memory?lastn=40", "gzip, br;q=0")
    assert response.headers["content-encoding"] == "gzip"
    assert b"message 39" in DECODED["gzip"](body)
    response, body = await sent(client, "POST", "/graphql", "gzip, br, zstd", json={"query": "{ __typename }"})
    assert ("content-encoding" in response.headers, body) == (False, b'{"data":{"__typename":"Query"}}')


async def test_compression_is_off_by_a_setting(settings: Settings, mongodb_uri: str) -> None:
    async with served_with(settings, mongodb_uri, compression=False) as client:
        await add(client, "s", 40)
        response, _ = await sent(client, "GET", "/api/v1/sessions/s/memory?lastn=40", "gzip, br, zstd")
        assert "content-encoding" not in response.headers
        body = {"query": ADDED, "variables": {"id": "s", "after": 39}}
        headers = {**EVENTS, "accept-encoding": "gzip"}
        async with client.http.stream("POST", "/graphql", json=body, headers=headers) as stream:
            assert "content-encoding" not in stream.headers


@pytest.mark.parametrize("kind", [EVENTS, MULTIPART])
async def test_each_result_of_a_stream_comes_at_once(client: Client, kind: dict[str, str]) -> None:
    await add(client, "s")
    body = {"query": ADDED, "variables": {"id": "s", "after": 0}}
    headers = {**kind, "accept-encoding": "zstd, br, gzip"}
    async with client.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        assert (response.headers["content-encoding"], response.headers["vary"]) == ("gzip", "Accept-Encoding")
        decoder, chunks, text = zlib.decompressobj(31), response.aiter_raw(), b""
        for seq in range(1, 6):
            while b'"seq":%d' % seq not in text:
                text += decoder.decompress(await asyncio.wait_for(anext(chunks), 20))
            await add(client, "s")


@pytest.mark.parametrize("accepts", ["zstd, br", "gzip;q=0, *", "gzip;q=none"])
async def test_a_stream_stays_as_it_is_without_gzip(client: Client, accepts: str) -> None:
    await add(client, "s")
    body = {"query": ADDED, "variables": {"id": "s", "after": 0}}
    headers = {**EVENTS, "accept-encoding": accepts}
    async with client.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        assert "content-encoding" not in response.headers
        assert b'"seq":1' in await anext(response.aiter_raw())


@pytest.mark.parametrize("accepts", ["*", "GZIP;q=0.5", "br, gzip"])
async def test_lines_are_compressed_line_by_line(client: Client, accepts: str) -> None:
    async with open_body(client, **{"accept-encoding": accepts}) as body:
        assert body.headers["content-encoding"] == "gzip"
        decoder = zlib.decompressobj(31)
        for _ in range(3):
            await body.send("mutation { nothing }")
            text = b""
            while not text.endswith(b"\n"):
                text += decoder.decompress(await asyncio.wait_for(body.chunk(), 20))
            assert b"nothing" in text
        await body.end()
        while chunk := await asyncio.wait_for(body.chunk(), 20):
            decoder.decompress(chunk)
        assert decoder.eof


@pytest.mark.parametrize("encoding", [*DECODED, "identity"])
async def test_a_large_answer_is_compressed_beside_other_tasks(tmp_path: Path, encoding: str) -> None:
    """The watch of the event loop fails this test where the compression holds the loop."""
    async with serving_files(tmp_path) as client:
        response, body = await sent(client, "GET", "/large", encoding)
    assert response.headers.get("content-encoding", "identity") == encoding
    assert DECODED.get(encoding, bytes)(body) == LARGE


@pytest.mark.parametrize("encoding", DECODED)
async def test_files_are_compressed_and_their_tags_are_of_all_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "page.js").write_bytes(LARGE[:200_000])
    (tmp_path / "font.woff2").write_bytes(LARGE[:200_000])
    async with serving_files(tmp_path) as client:
        plain, body = await sent(client, "GET", "/assets/page.js", "identity")
        response, compressed = await sent(client, "GET", "/assets/page.js", encoding)
        assert response.headers["content-encoding"] == encoding
        assert len(compressed) < DECODED[encoding](compressed).count(b";") * 100
        assert DECODED[encoding](compressed) == body == LARGE[:200_000]
        assert response.headers["etag"] == plain.headers["etag"]
        assert response.headers["etag"].startswith('W/"')
        again = {"if-none-match": response.headers["etag"]}
        unchanged, nothing = await sent(client, "GET", "/assets/page.js", encoding, headers=again)
        assert (unchanged.status_code, unchanged.headers["etag"], nothing) == (304, response.headers["etag"], b"")
        part, some = await sent(client, "GET", "/assets/page.js", encoding, headers={"range": "bytes=0-1999"})
        assert (part.status_code, some, "content-encoding" in part.headers) == (206, body[:2_000], False)
        font, same = await sent(client, "GET", "/assets/font.woff2", encoding)
        assert ("content-encoding" in font.headers, same) == (False, body)  # it is compressed in itself


async def test_a_websocket_has_no_compression(client: Client) -> None:
    await add(client, "s")
    async with socket_to(str(client.http.base_url)) as socket:
        response = socket.connection.response
        assert response is not None
        assert "content-encoding" not in response.headers
        await socket.subscribe(ADDED, {"id": "s", "after": 0})
        assert (await socket.data())["messageAdded"]["seq"] == 1
