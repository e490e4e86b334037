"""The samples of Zep's documentation, with the real clients in Python and JavaScript."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.graphql_client import OCTAVIA, Client
from tests.support.zep_clients.running import run_node, run_python

pytestmark = pytest.mark.timeout(600)  # the first one installs the clients

COUNTS = [11, 33, 14]


@pytest.fixture(params=["python", "javascript"])
async def got(request: pytest.FixtureRequest, client: Client) -> Any:
    base_url = str(client.http.base_url).rstrip("/")
    if request.param == "python":
        return await run_python("samples.py", base_url, "a-session")
    return await run_node("samples.mjs", base_url, "a-session")


async def test_the_sample_conversation_comes_back_as_it_was_added(got: Any, client: Client) -> None:
    assert got["answer"] == "OK"
    assert [(message["role"], message["content"]) for message in got["messages"]] == [
        (message["role"], message["content"]) for message in OCTAVIA
    ]
    assert got["messages"][2]["metadata"] == {"foo": "bar"}
    messages = (
        await client.data('{ memory(sessionId: "a-session") { messages { uuid createdAt tokenCount metadata } } }')
    )["memory"]["messages"]
    assert [(message["uuid"], message["tokenCount"]) for message in messages] == [
        (message["uuid"], message["token_count"]) for message in got["messages"]
    ]
    assert [message["metadata"] for message in messages] == [{}, {}, {"foo": "bar"}]


async def test_an_unknown_session_is_not_found(got: Any) -> None:
    assert got["not_found"]
