"""The tools over streamable HTTP, called by the SDK's client."""

from __future__ import annotations

import pytest

from tests.support.graphql_client import Client
from tests.support.mcp_client import address, mcp_client, text_of

TALK = [
    {"role": "user", "content": "My sister Clara started working at the harbour office."},
    {"role": "assistant", "content": "Congratulations to Clara!", "name": "Iris"},
]


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_each_tool_answers(client: Client, mode: str) -> None:
    async with mcp_client(address(client), mode=mode) as mcp:
        names = {tool.name for tool in (await mcp.list_tools()).tools}
        assert names == {
            "add_memory",
            "get_context",
            "search_memory",
            "list_sessions",
            "get_messages",
            "get_entity",
            "forget",
        }
        added = await mcp.call_tool("add_memory", {"session_id": "s", "user_id": "ada", "messages": TALK})
        assert not added.is_error, added
        assert added.structured_content["messages_in_session"] == 2
        first, second = added.structured_content["message_uuids"]
        context = await mcp.call_tool("get_context", {"session_id": "s", "query": "Where does Clara work?"})
        assert "harbour office" in text_of(context)
        found = (await mcp.call_tool("search_memory", {"query": "harbour", "user_id": "ada"})).structured_content
        assert found["messages"][0]["uuid"] == first
        assert found["messages"][0]["session_id"] == "s"
        sessions = (await mcp.call_tool("list_sessions", {"user_id": "ada"})).structured_content
        assert [(one["session_id"], one["message_count"]) for one in sessions["sessions"]] == [("s", 2)]
        page = (await mcp.call_tool("get_messages", {"session_id": "s", "limit": 1})).structured_content
        assert [(one["uuid"], one["name"]) for one in page["messages"]] == [(second, "Iris")]
        page = await mcp.call_tool("get_messages", {"session_id": "s", "before": page["earlier_cursor"]})
        assert [one["uuid"] for one in page.structured_content["messages"]] == [first]
        assert page.structured_content["earlier_cursor"] is None
        assert not (await mcp.call_tool("get_entity", {"name": "Clara", "user_id": "ada"})).is_error
        gone = await mcp.call_tool("forget", {"message_uuid": second})
        assert gone.structured_content["message_uuid"] == second
        assert not (await mcp.call_tool("forget", {"session_id": "s"})).is_error
        assert (await mcp.call_tool("get_messages", {"session_id": "s"})).is_error


async def test_errors_are_the_api_s_with_their_codes(client: Client) -> None:
    async with mcp_client(address(client)) as mcp:
        empty = await mcp.call_tool("add_memory", {"session_id": "", "messages": TALK})
        assert empty.is_error
        assert "BAD_USER_INPUT" in text_of(empty)
        neither = await mcp.call_tool("forget", {})
        assert "either session_id or message_uuid" in text_of(neither)
        unknown = await mcp.call_tool("get_messages", {"session_id": "unknown"})
        assert "NOT_FOUND" in text_of(unknown)
        assert (await mcp.call_tool("search_memory", {"query": "a", "limit": 101})).is_error
        assert (await mcp.call_tool("add_memory", {"session_id": "s", "messages": [{"role": 1}]})).is_error
    assert (await client.data("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0


async def test_a_repeated_call_with_one_key_stores_once(client: Client) -> None:
    arguments = {"session_id": "s", "messages": TALK, "idempotency_key": "k"}
    async with mcp_client(address(client)) as mcp:
        first = (await mcp.call_tool("add_memory", arguments)).structured_content
        second = (await mcp.call_tool("add_memory", arguments)).structured_content
    assert (first["replayed"], second["replayed"]) == (False, True)
    assert first["message_uuids"] == second["message_uuids"]


async def test_tools_say_which_ones_delete(client: Client) -> None:
    async with mcp_client(address(client)) as mcp:
        tools = {tool.name: tool for tool in (await mcp.list_tools()).tools}
    hints = {name: tool.annotations.destructive_hint for name, tool in tools.items() if tool.annotations}
    assert hints.keys() == tools.keys()
    assert [name for name, destroys in hints.items() if destroys] == ["forget"]
    assert all(tool.description and tool.input_schema for tool in tools.values())


async def test_long_contents_are_cut(client: Client) -> None:
    async with mcp_client(address(client)) as mcp:
        long = [{"role": "user", "content": "word " * 1000}]
        await mcp.call_tool("add_memory", {"session_id": "s", "messages": long})
        page = (await mcp.call_tool("get_messages", {"session_id": "s"})).structured_content
    (message,) = page["messages"]
    assert len(message["content"]) == 2001
    assert message["content"].endswith("…")
