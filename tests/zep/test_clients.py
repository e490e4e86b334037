"""Every call of Zep's clients, run by the clients themselves in processes of their own."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import served_with
from tests.support.graphql_client import ADD, Client
from tests.support.zep_clients.running import run_node, run_python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # the first one installs the clients


def base_url(client: Client) -> str:
    return str(client.http.base_url).rstrip("/")


@pytest.mark.parametrize("mode", ["sync", "async", "javascript"])
async def test_every_call_does_what_zep_did(client: Client, mode: str) -> None:
    for number in range(3):
        added = {"sessionId": f"s{number}", "userId": f"u{number}", "messages": [{"role": "human", "content": "Hi"}]}
        await client.data(ADD, input=added)
    seen: Any
    if mode == "javascript":
        seen = await run_node("every-call.mjs", base_url(client), "p")
    else:
        seen = await run_python("every_call.py", base_url(client), "p", mode)
    assert sorted(chain(*seen["users"])) == ["p-ada", "u0", "u1", "u2"]
    assert sorted(chain(*seen["sessions"])) == ["p-session", "s0", "s1", "s2"]
    assert [len(chunk) for chunk in seen["users"] + seen["sessions"]] == [2, 2, 2, 2]


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_clients_show_their_key_where_it_is_asked_for(
    settings: Settings, mongodb_uri: str, database: Database, language: str
) -> None:
    _, key = await create_key(database, "an application", Right.ADMIN)
    async with served_with(settings, mongodb_uri, auth="required") as client:
        for api_key in ("rql_nonsense", key):
            run = (
                run_python("every_call.py", base_url(client), "p", "sync", api_key)
                if language == "python"
                else run_node("every-call.mjs", f"{base_url(client)}/", "p", api_key)  # a slash at the end is usual
            )
            if api_key == key:
                await run
            else:
                with pytest.raises(AssertionError, match=r"AuthError|AuthenticationError"):
                    await run


async def test_langchain_keeps_its_history_here(client: Client) -> None:
    seen = await run_python("langchain.py", base_url(client), "a session/of: LangChain's")
    assert len(seen["uuids"]) == 8
