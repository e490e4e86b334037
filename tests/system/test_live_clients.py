"""Real JavaScript clients against the running server, each with its ordinary settings."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import ADD, Client
from tests.support.node_project import install, run_script


@pytest.mark.timeout(600)  # the first one installs the project
@pytest.mark.parametrize("name", ["graphql-ws", "graphql-sse", "apollo", "apollo-ws", "urql", "urql-ws"])
async def test_a_client_queries_and_follows(client: Client, name: str) -> None:
    install()
    messages = [{"role": "human", "content": text} for text in ("first", "second")]
    await client.data(ADD, input={"sessionId": "s", "messages": messages})
    url = f"{str(client.http.base_url).rstrip('/')}/graphql"
    assert await run_script("clients.mjs", url, name, "s") == {"messageCount": 2, "seqs": [1, 2, 3]}


@pytest.mark.timeout(600)
async def test_apollo_appends_the_edges_of_a_subscription_to_its_list(client: Client) -> None:
    install()
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "human", "content": "x"}] * 2})
    kept = await run_script("appends.mjs", _url(client), "s")
    listed = await client.data('{ session(sessionId: "s") { messages(first: 9) { edges { cursor } } } }')
    cursors = [edge["cursor"] for edge in listed["session"]["messages"]["edges"]]
    assert kept == {"seqs": [1, 2, 3, 4], "cursors": cursors, "wentOnAfter": 2}


@pytest.mark.timeout(600)
async def test_a_native_event_source_resumes_where_it_was_cut_off(client: Client) -> None:
    install()
    await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "human", "content": "x"}] * 2})
    came = await run_script("event-source.mjs", _url(client), "s", flags=("--experimental-eventsource",))
    assert came == {"seqs": [1, 2, 3], "marks": [None, "2"]}


def _url(client: Client) -> str:
    return f"{str(client.http.base_url).rstrip('/')}/graphql"


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("case", "code", "reason"),
    [
        ("an unknown message", 4400, "type"),
        ("an operation before the connection is acknowledged", 4401, "Unauthorized"),
        ("one id twice", 4409, "already exists"),
        ("a second initialisation", 4429, "Too many initialisation requests"),
    ],
)
async def test_graphql_ws_sees_the_close_codes(client: Client, case: str, code: int, reason: str) -> None:
    install()
    ended = await run_script("close-codes.mjs", _url(client), case)
    assert ended["seen"] == ended["closed"]
    assert ended["seen"]["code"] == code
    assert reason in ended["seen"]["reason"]


async def test_graphql_ws_sees_that_it_is_forbidden(settings: Settings, mongodb_uri: str, database: Database) -> None:
    del database
    install()
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        ended = await run_script("close-codes.mjs", _url(client), "wrong credentials")
    assert ended["seen"] == ended["closed"] == {"code": 4403, "reason": "Forbidden"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("script", "codes"), [("renewals.mjs", [4403]), ("renewals-sse.mjs", ["UNAUTHENTICATED"])], ids=["ws", "sse"]
)
async def test_a_client_comes_back_with_a_new_token_and_misses_nothing(
    settings: Settings, mongodb_uri: str, database: Database, script: str, codes: list[int | str]
) -> None:
    del database
    install()
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET), jwt_leeway=0.0) as client:
        later = token("ada")
        messages = [{"role": "human", "content": "x"}]
        await as_caller(client, later).data(ADD, input={"sessionId": "s", "messages": messages})
        short = token("ada", exp=int(time.time()) + 10)
        came = await run_script(script, _url(client), "s", short, later)
    assert came == {"codes": codes, "seqs": [1, 2]}


async def test_graphql_ws_sees_a_defect_of_the_service(
    client: Client, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    install()

    async def fail(*_: Any) -> None:
        raise LookupError("a secret of the inside")

    monkeypatch.setattr(app.state.guards.authenticator, "authenticate", fail)
    ended = await run_script("close-codes.mjs", _url(client), "a defect of the service")
    assert ended["seen"] == ended["closed"]
    assert ended["seen"]["code"] == 4500
    assert "secret" not in ended["seen"]["reason"]
