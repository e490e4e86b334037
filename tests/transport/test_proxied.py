"""The service behind a reverse proxy, below a prefix of the path."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from playwright.async_api import expect
from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake

from graph.console import console_is_bundled
from graph.errors import StartupError
from graph.explorer import explorer_is_bundled
from graph.settings import Settings, load_settings
from tests.support.access import served_with
from tests.support.browser import chromium
from tests.support.graphql_client import PLAIN, Client
from tests.support.live import add
from tests.support.live_client import ADDED, socket_to
from tests.support.mcp_client import answer_of
from tests.support.reverse_proxy import ReverseProxy, proxying
from tests.support.streams import EVENTS, streaming, until

PATIENCE = 90_000
"""Milliseconds for a step of the browser: the first one reads all of it from the disk."""
LIST_TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
MCP = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@asynccontextmanager
async def behind(settings: Settings, mongodb_uri: str, *, strips: bool, **changes: Any) -> AsyncIterator[Client]:
    """A client whose base URL is the prefix that a proxy serves."""
    changes = {"root_path": "/chat/memory", "forwarded_allow_ips": ("127.0.0.1",), **changes}
    async with served_with(settings, mongodb_uri, **changes) as direct:
        port = direct.http.base_url.port
        assert port is not None
        async with (
            proxying(ReverseProxy(port, "/chat/memory", strips=strips)) as proxy,
            httpx.AsyncClient(base_url=proxy.url, timeout=60, verify=PLAIN) as http,
        ):
            yield Client(http)


def test_no_prefix_is_the_first_part_of_a_route(app: Starlette) -> None:
    first = {route.path.split("/")[1] for route in app.routes if isinstance(route, Route | WebSocketRoute | Mount)}
    for name in first - {""}:
        with pytest.raises(StartupError, match="is a path of the service itself"):
            load_settings(root_path=f"/{name}")


@pytest.mark.parametrize("strips", [True, False])
async def test_each_api_is_served_below_the_prefix(settings: Settings, mongodb_uri: str, strips: bool) -> None:
    async with behind(settings, mongodb_uri, strips=strips) as client:
        await add(client, "a session", 2)
        memory = await client.http.get("/api/v1/sessions/a%20session/memory")
        assert [message["content"] for message in memory.json()["messages"]] == ["message 0", "message 1"]
        assert memory.headers["x-zep-version"]
        assert (await client.http.get("/healthz")).text == "."
        assert (await client.http.get("/health")).text == "ok"
        assert (await client.http.get("/ready")).json()["ready"] is True
        tools = await client.http.post("/mcp", json=LIST_TOOLS, headers=MCP)
        assert answer_of(tools)["result"]["tools"]
        home = await client.http.get("")
        assert (home.status_code, home.headers["location"]) == (307, "/chat/memory/graphql")


@pytest.mark.parametrize("strips", [True, False])
async def test_subscriptions_are_served_below_the_prefix(settings: Settings, mongodb_uri: str, strips: bool) -> None:
    async with behind(settings, mongodb_uri, strips=strips) as client:
        await add(client, "s")
        async with streaming(client, EVENTS, id="s", after=0) as (_, chunks):
            assert '"seq":1' in await until(chunks, "\n\n")
            await add(client, "s")
            assert '"seq":2' in await until(chunks, "\n\n")
        async with socket_to(str(client.http.base_url).rstrip("/")) as socket:
            await socket.subscribe(ADDED, {"id": "s", "after": 1})
            assert (await socket.data())["messageAdded"]["seq"] == 2
            await add(client, "s")
            assert (await socket.data())["messageAdded"]["seq"] == 3


@pytest.mark.parametrize(
    ("trusted", "forwards", "opens"),
    [
        (("127.0.0.1",), True, True),
        (("10.0.0.0/8", "127.0.0.0/8"), True, True),
        (("*",), True, True),
        ((), True, False),
        (("10.0.0.0/8", "::1"), True, False),
        (("127.0.0.1",), False, False),
    ],
)
async def test_a_page_below_the_prefix_opens_a_websocket_where_the_proxy_is_trusted(
    settings: Settings, mongodb_uri: str, trusted: tuple[str, ...], forwards: bool, opens: bool
) -> None:
    async with served_with(settings, mongodb_uri, root_path="/m", forwarded_allow_ips=trusted) as direct:
        port = direct.http.base_url.port
        assert port is not None
        async with proxying(ReverseProxy(port, "/m", forwards_host=forwards)) as proxy:
            where = f"{proxy.url}/graphql".replace("http", "ws", 1)
            for origin, same in ((proxy.url.removesuffix("/m"), True), ("http://elsewhere.example", False)):
                opening = connect(where, subprotocols=["graphql-transport-ws"], origin=origin, proxy=None)  # type: ignore[arg-type,list-item]
                if opens and same:
                    async with opening as socket:
                        await socket.send(json.dumps({"type": "connection_init"}))
                        assert json.loads(await socket.recv())["type"] == "connection_ack"
                else:
                    with pytest.raises(InvalidHandshake):
                        await opening


async def test_a_forwarded_host_opens_no_service_without_authentication(settings: Settings, mongodb_uri: str) -> None:
    """A page whose own name resolves to this machine calls from 127.0.0.1, and may send any header."""
    async with served_with(settings, mongodb_uri, forwarded_allow_ips=("*",)) as client:
        headers = {"host": "rebound.example", "x-forwarded-host": "localhost"}
        response = await client.http.get("/graphql?query={__typename}", headers=headers)
        assert response.status_code == 403


async def test_other_paths_stay_as_they_are(settings: Settings, mongodb_uri: str) -> None:
    async with served_with(settings, mongodb_uri, root_path="/chat") as client:
        assert (await client.http.get("/health")).text == "ok"
        assert (await client.http.get("/chat/health")).text == "ok"
        for path in ("/chatty/health", "/chat/chat/health", "/%63hat/health", "/chat%2Fhealth"):
            assert (await client.http.get(path)).status_code == 404, path


@pytest.mark.parametrize(
    "value", ["chat", "/", "/chat/", "//chat", "/a b", "/a/../b", "/a?b", "/ü", "/graphql", "/api/v1", "/" + "x" * 300]
)
def test_a_prefix_that_cannot_be_used_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECALLQL_ROOT_PATH", value)
    with pytest.raises(StartupError, match=r"^RECALLQL_ROOT_PATH: "):
        load_settings()


@pytest.mark.parametrize("value", ["proxy.example", "10.0.0.0/33", "10.0.0.1/8", "127.0.0.1,x"])
def test_proxies_are_addresses_or_networks(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECALLQL_FORWARDED_ALLOW_IPS", value)
    with pytest.raises(StartupError, match=r"^RECALLQL_FORWARDED_ALLOW_IPS: "):
        load_settings()


@pytest.mark.slow
@pytest.mark.skipif(not (explorer_is_bundled() and console_is_bundled()), reason="the pages are not bundled")
@pytest.mark.parametrize("strips", [True, False])
async def test_explorer_and_console_work_below_the_prefix(settings: Settings, mongodb_uri: str, strips: bool) -> None:
    async with behind(settings, mongodb_uri, strips=strips) as client, chromium() as browser:
        await add(client, "below", 2)
        base = str(client.http.base_url).rstrip("/")
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        await page.goto(f"{base}/graphql")
        await expect(page.locator(".graphiql-query-editor")).to_contain_text("Welcome to RecallQL", timeout=PATIENCE)
        await page.locator("button.graphiql-execute-button").click()
        await expect(page.locator(".result-window")).to_contain_text('"addMemory"', timeout=PATIENCE)
        await page.goto(f"{base}/console#/sessions/below")
        await expect(page.get_by_text("message 1")).to_be_visible(timeout=PATIENCE)
        await add(client, "below", 4)
        await expect(page.get_by_text("message 3")).to_be_visible(timeout=PATIENCE)  # by the WebSocket
        assert complaints == []
