"""The session for the OpenAI Agents SDK in TypeScript, as npm packs it, with the SDK's `run` and a scripted model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.graphql_client import Client
from tests.support.node_project import USER, install_packed, run_script

KINDS = ["message", "function_call", "function_call_result", "message", "message"]


@pytest.fixture(scope="module", autouse=True)
def packed() -> None:
    install_packed()


async def printed(client: Client, scenario: str) -> Any:
    return await run_script("agents.mjs", str(client.http.base_url), scenario, home=USER)


async def test_every_item_comes_back_equal(client: Client) -> None:
    assert await printed(client, "exact") == {
        "contents": [
            *("How is the weather in Kyōto?", "Be brief.", "And this?", "hm", "", "21 °C", "", "Sunny."),
            *("Hello", "Hi"),
        ],
        "others": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "Hi"}]},
        ],
    }


async def test_items_are_popped_once_and_the_session_is_cleared(client: Client) -> None:
    assert await printed(client, "popped") == {"contents": list(range(12)), "left": []}


async def test_an_agent_goes_on_with_its_session(client: Client) -> None:
    assert await printed(client, "run") == {
        "answers": ["It has 21 °C.", "You asked for Kyōto."],
        "kinds": [*KINDS, "message"],
        "seen": KINDS,
        "result": {"type": "text", "text": "Kyōto: 21 °C"},
    }
