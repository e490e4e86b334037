"""Which web pages may call: one rule over HTTP, WebSocket and the Zep routes, and a log that names the setting."""

from __future__ import annotations

from typing import Any

import pytest
import websockets
from starlette.datastructures import Headers

from graph.errors import StartupError
from graph.settings import Settings, load_settings
from graph.store.database import Database
from graph.transport.origins import Origins
from tests.support.access import served_with
from tests.support.graphql_client import Client

EVIL = "https://evil.example"


async def preflight(client: Client, origin: str, headers: str = "content-type") -> Any:
    wanted = {"access-control-request-method": "POST", "access-control-request-headers": headers}
    return await client.http.options("/graphql", headers={"origin": origin, **wanted})


async def opens(client: Client, origin: str) -> bool:
    """Whether a page of the origin can open a WebSocket."""
    address = f"ws://127.0.0.1:{client.http.base_url.port}/graphql"
    protocols = [websockets.Subprotocol("graphql-transport-ws")]
    try:
        async with websockets.connect(address, subprotocols=protocols, origin=websockets.Origin(origin)):
            return True
    except websockets.InvalidStatus as refused:
        return refused.response.status_code != 403


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("http://localhost:3000/", "http://localhost:3000"),
        ("HTTP://LocalHost:3000", "http://localhost:3000"),
        ("https://app.example:443", "https://app.example"),
        ("http://app.example:80/", "http://app.example"),
        ("https://app.example", "https://app.example:443"),
        ("https://b\u00fccher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:5173/", "http://[::1]:5173"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "https://anything.example"),
    ],
)
async def test_an_origin_is_the_same_however_it_is_written(
    settings: Settings, mongodb_uri: str, database: Database, written: str, sent: str
) -> None:
    del database
    allowed = load_settings(allowed_origins=written).allowed_origins
    async with served_with(settings, mongodb_uri, allowed_origins=allowed) as client:
        response = await preflight(client, sent)
        assert response.status_code == 200, response.text
        assert response.headers["access-control-allow-origin"] in {sent, "*"}
        answer = await client.http.post("/graphql", json={"query": "{ __typename }"}, headers={"origin": sent})
        assert answer.headers["access-control-allow-origin"] in {sent, "*"}
        assert await opens(client, sent)
        deleted = await client.http.delete("/api/v1/user/nobody", headers={"origin": sent})
        assert deleted.status_code == 404
        if written != "*":
            for other in (f"{sent}1", "null", EVIL, sent.replace("://", "s://", 1)):
                assert (await preflight(client, other)).status_code == 400
                assert not await opens(client, other)


@pytest.mark.parametrize("allowed", [(), ("https://app.example",)])
async def test_a_refused_origin_is_logged_once_with_the_setting(
    settings: Settings, mongodb_uri: str, database: Database, caplog: pytest.LogCaptureFixture, allowed: tuple[str, ...]
) -> None:
    del database

    def logged(origin: str) -> list[str]:
        return [record.getMessage() for record in caplog.records if origin in record.getMessage()]

    async with served_with(settings, mongodb_uri, allowed_origins=allowed) as client:
        for _ in range(3):
            await preflight(client, "https://preflight.example")
            asked = {"query": "{ __typename }"}
            await client.http.post("/graphql", json=asked, headers={"origin": "https://simple.example"})
            assert not await opens(client, "https://socket.example")
            refused = await client.http.delete("/api/v1/user/u", headers={"origin": "https://zep.example"})
            assert refused.status_code == 403
        for origin in ("preflight", "simple", "socket", "zep"):
            (line,) = logged(f"https://{origin}.example")
            assert "RECALLQL_ALLOWED_ORIGINS" in line
        assert "allowed_origins" not in caplog.text
        own = str(client.http.base_url).rstrip("/")
        await client.http.post("/graphql", json=asked, headers={"origin": own})
        proxied = {"origin": "https://public.example", "sec-fetch-site": "same-origin"}
        await client.http.post("/graphql", json=asked, headers=proxied)
        assert await opens(client, own)
        assert not logged(own)
        assert not logged("public.example")


def test_a_log_of_refused_origins_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    origins = Origins(())
    for number in range(1_000):
        assert origins.refused(Headers({"origin": f"https://a{number}.example/{'x' * 1_000}", "host": "b"}))
    assert 100 < len(caplog.records) < 110
    assert all(len(record.getMessage()) < 400 for record in caplog.records)


async def test_a_refused_host_is_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert (await client.http.get("/health", headers={"host": "evil.example"})).status_code == 403
    (line,) = [record.getMessage() for record in caplog.records if "evil.example" in record.getMessage()]
    assert "RECALLQL_ALLOWED_ORIGINS" in line


TRACING = "traceparent, tracestate, baggage, sentry-trace, b3, x-b3-traceid, x-datadog-trace-id"
GRAPHQL = "apollo-require-preflight, x-apollo-operation-name, x-apollo-operation-type, apollographql-client-name"


async def test_pages_may_send_the_headers_of_tracing_and_of_graphql_clients(
    settings: Settings, mongodb_uri: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    del database
    app = "https://app.example"
    async with served_with(settings, mongodb_uri, allowed_origins=(app,)) as client:
        for wanted in (TRACING, GRAPHQL, "Authorization,Content-Type,X-RecallQL-Cost,Last-Event-ID"):
            assert (await preflight(client, app, wanted)).status_code == 200
        assert (await preflight(client, app, "x-tenant")).status_code == 400
        assert "'x-tenant'" in caplog.text
        assert "RECALLQL_ALLOWED_HEADERS" in caplog.text
    more = load_settings(allowed_headers="X-Tenant, x-other").allowed_headers
    async with served_with(settings, mongodb_uri, allowed_origins=(app,), allowed_headers=more) as client:
        assert (await preflight(client, app, "x-tenant,x-other,traceparent")).status_code == 200
        assert (await preflight(client, app, "x-third")).status_code == 400
    async with served_with(settings, mongodb_uri, allowed_origins=(app,), allowed_headers=("*",)) as client:
        assert (await preflight(client, app, "x-third")).status_code == 200


@pytest.mark.parametrize("wrong", ["x tenant", "x-tenant:", "é", "x-a,b c"])
def test_what_is_no_header_is_refused_in_one_line(wrong: str) -> None:
    with pytest.raises(StartupError, match="RECALLQL_ALLOWED_HEADERS: the name of a header"):
        load_settings(allowed_headers=wrong)
