"""The conformance suite and the inspector's command line of the Model Context Protocol, against the endpoint."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.server.mcpserver import MCPServer

import graph.mcp.server
from graph.mcp.api import ApiOf
from tests.support.graphql_client import Client
from tests.support.mcp_client import address
from tests.support.mcp_fixtures import add_fixtures
from tests.support.mcp_tools import HOME, run_mcp_tool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The logging capability is deprecated"),  # a tool of the suite logs
]

TOOL_ERROR = 5
"""The inspector's exit status for a tool's error."""
HEADERS = ("http-header-validation", "http-custom-header-server-validation")
"""Scenarios that the revision does not count, because the suite's own server fails them."""


@pytest.fixture
def fixtures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has the tools, resources and prompts of the suite beside its own."""
    create = graph.mcp.server.create_server

    def with_fixtures(api_of: ApiOf) -> MCPServer:
        server = create(api_of)
        add_fixtures(server)
        return server

    monkeypatch.setattr(graph.mcp.server, "create_server", with_fixtures)


async def conformance(client: Client, revision: str, results: Path, *options: str) -> set[str]:
    """Test what a revision requires; the failures of all scenarios that ran, those that do not count included."""
    done = await anyio.to_thread.run_sync(
        run_mcp_tool,
        "@modelcontextprotocol/conformance/dist/index.js",
        *("server", "--url", f"{address(client)}/mcp", "--requirements", revision, "-o", str(results), *options),
    )
    failures = _failures(results)
    assert done.returncode == 0, "\n".join(sorted(failures))
    return failures


def _failures(results: Path) -> set[str]:
    return {
        f"{path.parent.name}: {check['id']}: {check.get('errorMessage')}"
        for path in results.glob("*/checks.json")
        for check in json.loads(path.read_text())
        if check["status"] in ("FAILURE", "WARNING")
    }


@pytest.mark.usefixtures("fixtures")
async def test_the_endpoint_does_what_2026_07_28_requires(client: Client, tmp_path: Path) -> None:
    failures = await conformance(client, "2026-07-28", tmp_path)
    scenarios = ("server-server-stateless", *(f"server-{name}" for name in HEADERS))
    assert {failure for failure in failures if failure.startswith(scenarios)} == set()


@pytest.mark.usefixtures("fixtures")
async def test_earlier_clients_get_what_needs_no_session(client: Client, tmp_path: Path) -> None:
    unsupported = str(HOME / "unsupported-2025-11-25.yaml")
    await conformance(client, "2025-11-25", tmp_path, "--expected-failures", unsupported)


async def inspected(*arguments: str, home: Path, status: int = 0) -> Any:
    """What the inspector prints, as JSON."""
    done = await anyio.to_thread.run_sync(
        lambda: run_mcp_tool(
            "@modelcontextprotocol/inspector/clients/launcher/build/index.js", "--cli", *arguments, HOME=str(home)
        )
    )
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


async def test_the_inspector_calls_over_both_transports(client: Client, tmp_path: Path) -> None:
    url = address(client)
    endpoint, program = f"{url}/mcp", (sys.executable, "-m", "graph", "mcp", url)
    messages = json.dumps([{"role": "user", "content": "The harbour opens at nine."}])
    call = ("--method", "tools/call", "--tool-name")
    sent = ("add_memory", "--tool-arg", "session_id=s", f"messages={messages}")
    added = await inspected(endpoint, *call, *sent, home=tmp_path)
    assert added["structuredContent"]["messages_in_session"] == 1
    for target in ((endpoint,), program):
        listed = await inspected(*target, "--method", "tools/list", "--strict", home=tmp_path)
        assert "forget" in [tool["name"] for tool in listed["tools"]]
        read = ("--method", "resources/read", "--uri", "recallql://sessions/s/messages")
        (content,) = (await inspected(*target, *read, home=tmp_path))["contents"]
        assert content["text"].endswith("user: The harbour opens at nine.")
    unknown = ("get_messages", "--tool-arg", "session_id=unknown")
    refused = await inspected(endpoint, *call, *unknown, home=tmp_path, status=TOOL_ERROR)
    assert "NOT_FOUND" in refused["content"][0]["text"]
