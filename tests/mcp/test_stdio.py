"""`recallql mcp`: the tools over standard input and output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcp.client import Client as MCPClient
from mcp.client.stdio import StdioServerParameters
from pydantic import SecretStr

from graph.settings import Settings
from tests.support.access import SECRET, served_with, token
from tests.support.graphql_client import Client
from tests.support.mcp_client import address, text_of
from tests.support.server_process import clean_environment

TALK = [{"role": "user", "content": "The harbour opens at nine."}]


def command(*arguments: str, **environment: str) -> StdioServerParameters:
    env = {**clean_environment(), "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"], **environment}
    return StdioServerParameters(command=sys.executable, args=["-m", "graph", "mcp", *arguments], env=env)


async def test_the_tools_call_a_running_server(client: Client) -> None:
    async with MCPClient(command(address(client))) as mcp:
        assert not (await mcp.call_tool("add_memory", {"session_id": "s", "messages": TALK})).is_error
        found = await mcp.call_tool("get_context", {"session_id": "s", "query": "when does the harbour open?"})
        assert "at nine" in text_of(found)
        assert (await mcp.call_tool("get_messages", {"session_id": "unknown"})).is_error


async def test_the_credentials_decide(settings: Settings, mongodb_uri: str) -> None:
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        async with MCPClient(command(address(client), RECALLQL_MCP_KEY=token("ada"))) as ada:
            assert not (await ada.call_tool("add_memory", {"session_id": "s", "messages": TALK})).is_error
        async with MCPClient(command(address(client))) as nobody:
            assert "UNAUTHENTICATED" in text_of(await nobody.call_tool("list_sessions", {}))


async def test_a_server_that_is_away_is_an_error_of_the_call() -> None:
    async with MCPClient(command("http://127.0.0.1:9")) as mcp:
        assert "UNAVAILABLE" in text_of(await mcp.call_tool("list_sessions", {}))


@pytest.mark.slow
async def test_without_an_address_a_server_is_started_and_stopped(tmp_path: Path) -> None:
    async with MCPClient(command(RECALLQL_DATA_DIR=str(tmp_path / "data"))) as mcp:
        assert not (await mcp.call_tool("add_memory", {"session_id": "s", "messages": TALK})).is_error
        assert "at nine" in text_of(await mcp.call_tool("get_context", {"session_id": "s", "query": "harbour"}))
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False)  # noqa: ASYNC221
    assert left.stdout == ""


def test_a_malformed_address_is_one_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "graph", "mcp", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1
