"""The endpoint: credentials, scopes, malformed requests, and processes that never serve a request."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from graph.mcp.endpoint import MAX_BODY
from graph.settings import Settings
from tests.support.access import SECRET, served_with, token
from tests.support.graphql_client import Client
from tests.support.mcp_client import address, answer_of, mcp_client, text_of

TALK = [{"role": "user", "content": "The harbour opens at nine."}]
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


async def post(client: Client, body: bytes | str, **headers: str) -> Any:
    return await client.http.post("/mcp", content=body, headers=ACCEPT | headers)


async def test_users_reach_their_own_sessions_alone(settings: Settings, mongodb_uri: str) -> None:
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        async with mcp_client(address(client), token("ada")) as ada:
            stored = await ada.call_tool("add_memory", {"session_id": "hers", "messages": TALK})
            uuid = stored.structured_content["message_uuids"][0]
        async with mcp_client(address(client), token("bob")) as bob:
            attempts: list[tuple[str, dict[str, Any]]] = [
                ("get_messages", {"session_id": "hers"}),
                ("get_entity", {"session_id": "hers", "name": "harbour"}),
                ("get_entity", {"user_id": "ada", "name": "harbour"}),
                ("add_memory", {"session_id": "hers", "messages": TALK}),
                ("add_memory", {"session_id": "new", "user_id": "ada", "messages": TALK}),
                ("forget", {"session_id": "hers"}),
                ("forget", {"message_uuid": uuid}),
            ]
            for tool, arguments in attempts:
                assert (await bob.call_tool(tool, arguments)).is_error, (tool, arguments)
            found = (await bob.call_tool("search_memory", {"query": "harbour"})).structured_content
            assert found["messages"] == []
            assert (await bob.call_tool("list_sessions", {})).structured_content["sessions"] == []
            assert "harbour" not in text_of(await bob.call_tool("get_context", {"session_id": "hers", "query": "when"}))
            with pytest.raises(Exception, match="unknown, or outside"):
                await bob.read_resource("recallql://sessions/hers/messages")
        async with mcp_client(address(client), token("ada")) as ada:
            assert (await ada.call_tool("get_messages", {"session_id": "hers"})).structured_content["messages"]


async def test_wrong_credentials_are_refused_before_the_body(settings: Settings, mongodb_uri: str) -> None:
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            response = await post(client, b"{", **headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")


async def test_malformed_requests_get_an_error_of_the_protocol_or_http(client: Client) -> None:
    assert (await client.http.get("/mcp", headers=ACCEPT)).status_code == 405
    assert (await client.http.delete("/mcp", headers=ACCEPT)).status_code == 405
    assert (await post(client, b"{}", Origin="https://elsewhere.example")).status_code == 403
    assert (await client.http.post("/mcp", content=b"{}", headers={"Content-Type": "text/plain"})).status_code == 415
    assert (await post(client, b" " * (MAX_BODY + 1))).status_code == 413
    for version in ("2025-06-18", "2026-07-28"):
        for body in (b"", b"{", b"[]", b"[" * 100_000, b"\xff", b"null", b'{"jsonrpc": "2.0", "id": 1}', b"1" * 10_000):
            response = await post(client, body, **{"MCP-Protocol-Version": version})
            assert 400 <= response.status_code < 500, (version, body[:20], response.text)
    unknown = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "no/such", "params": {}})
    assert "error" in answer_of(await post(client, unknown))
    assert await client.data("{ __typename }")


async def test_a_call_costs_what_its_operation_costs(settings: Settings, mongodb_uri: str) -> None:
    async with (
        served_with(settings, mongodb_uri, service_budget=400) as client,
        mcp_client(address(client)) as mcp,
    ):
        results = [await mcp.call_tool("search_memory", {"query": "a", "limit": 100}) for _ in range(5)]
    assert results[-1].is_error
    assert "TOO_COSTLY" in text_of(results[-1])


def test_the_sdk_is_loaded_by_the_first_request() -> None:
    code = "import sys, graph.app; sys.exit('mcp' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
