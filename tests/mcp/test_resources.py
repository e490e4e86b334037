"""Resources, the prompt, and subscriptions to resources."""

from __future__ import annotations

import asyncio

import pytest
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import SubscriptionFilter, TextContent, TextResourceContents
from pydantic import SecretStr

from graph.settings import Settings
from tests.support.access import SECRET, served_with, token
from tests.support.graphql_client import ADD, Client
from tests.support.mcp_client import address, mcp_client

UPDATE = "mutation ($input: UpdateMessageInput!) { updateMessage(input: $input) { message { uuid } } }"
TALK = [{"role": "user", "content": "The harbour opens at nine.", "name": "Clara"}]


@pytest.mark.parametrize("session_id", ["s", "../etc", "/a b", "ä%2F?#"])
async def test_a_session_is_a_resource(client: Client, session_id: str) -> None:
    from urllib.parse import quote

    await client.data(ADD, input={"sessionId": session_id, "messages": TALK})
    uri = f"recallql://sessions/{quote(session_id, safe='')}"
    async with mcp_client(address(client)) as mcp:
        templates = (await mcp.list_resource_templates()).resource_templates
        assert {one.uri_template for one in templates} == {
            "recallql://sessions/{session_id}/messages",
            "recallql://sessions/{session_id}/summary",
        }
        (content,) = (await mcp.read_resource(f"{uri}/messages")).contents
        assert isinstance(content, TextResourceContents)
        assert content.text.endswith(" user (Clara): The harbour opens at nine.")
        (summary,) = (await mcp.read_resource(f"{uri}/summary")).contents
        assert isinstance(summary, TextResourceContents)
        assert summary.text == ""


async def test_the_prompt_names_the_tools(client: Client) -> None:
    async with mcp_client(address(client)) as mcp:
        tools = [tool.name for tool in (await mcp.list_tools()).tools]
        (message,) = (await mcp.get_prompt("use_memory")).messages
    assert isinstance(message.content, TextContent)
    assert {name for name in tools if name in message.content.text} >= {"get_context", "add_memory", "search_memory"}


async def test_listeners_learn_of_new_and_changed_messages(client: Client) -> None:
    added = await client.data(ADD, input={"sessionId": "s", "messages": TALK})
    uuid = added["addMemory"]["memory"]["messages"][0]["uuid"]
    uri = "recallql://sessions/s/messages"
    async with mcp_client(address(client)) as mcp, mcp.listen(resource_subscriptions=[uri]) as events:
        for document, sent in (
            (ADD, {"sessionId": "s", "messages": TALK}),
            (UPDATE, {"uuid": uuid, "content": "The harbour opens at ten."}),
        ):
            async with asyncio.timeout(30):
                while True:  # the subscription begins some time after its acknowledgement
                    await client.data(document, input=sent)
                    try:
                        event = await asyncio.wait_for(anext(events), 2)
                    except TimeoutError:
                        continue
                    break
            assert event == ResourceUpdated(uri=uri)


async def test_nobody_waits_for_lists_that_never_change(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": TALK})
    uri = "recallql://sessions/s/messages"
    async with mcp_client(address(client)) as mcp:
        discovered = (await mcp.session.discover()).capabilities
        for capability in (discovered.tools, discovered.prompts, discovered.resources):
            assert capability is not None
            assert not capability.list_changed
        assert discovered.resources is not None
        assert discovered.resources.subscribe
        async with asyncio.timeout(10), mcp.listen(tools_list_changed=True, prompts_list_changed=True) as events:
            assert events.honored == SubscriptionFilter()
            assert [event async for event in events] == []
        async with mcp.listen(tools_list_changed=True, resource_subscriptions=[uri]) as events:
            assert events.honored == SubscriptionFilter(resource_subscriptions=[uri])


async def test_the_resources_of_a_request_are_one_connection(settings: Settings, mongodb_uri: str) -> None:
    resources = [f"recallql://sessions/{session_id}/messages" for session_id in ("a", "b")]
    async with (
        served_with(settings, mongodb_uri, service_connections=1) as client,
        mcp_client(address(client)) as mcp,
        mcp.listen(resource_subscriptions=resources) as events,
    ):
        with pytest.raises(MCPError, match="TOO_COSTLY"):
            async with mcp.listen(resource_subscriptions=resources[:1]):
                pass
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), 1)


async def test_each_stream_has_the_headers_of_the_first(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": TALK})
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    listen = {"notifications": {"resourceSubscriptions": ["recallql://sessions/s/messages"]}, "_meta": meta}
    sent = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "subscriptions/listen",
    }
    names = []
    for encoding in ("gzip", "identity", "gzip", "gzip"):
        body = {"jsonrpc": "2.0", "id": encoding, "method": "subscriptions/listen", "params": listen}
        headers = {**sent, "Accept-Encoding": encoding}
        async with client.http.stream("POST", "/mcp", json=body, headers=headers) as response:
            assert response.status_code == 200
            async for line in response.aiter_lines():
                if "acknowledged" in line:
                    break
            names.append([name for name, _ in response.headers.multi_items()])
    assert names[0] == names[2] == names[3]
    assert names[1] == [name for name in names[0] if name != "content-encoding"]


async def test_nobody_listens_to_foreign_sessions(settings: Settings, mongodb_uri: str) -> None:
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        async with mcp_client(address(client), token("ada")) as ada:
            await ada.call_tool("add_memory", {"session_id": "hers", "messages": TALK})
        async with mcp_client(address(client), token("bob")) as bob:
            async with bob.listen(resource_subscriptions=["recallql://sessions/hers/messages"]) as events:
                # As for a session that does not exist: neither an error nor an event comes.
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(events), 1)
            with pytest.raises(Exception, match="no resource"):
                async with bob.listen(resource_subscriptions=["file:///etc/passwd"]):
                    pass
