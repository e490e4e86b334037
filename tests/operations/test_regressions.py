"""Defects that were found by reading, each shown here first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from graph.runtime.supervisor import _as_environment
from graph.settings import Settings, load_settings
from tests.support.graphql_client import ADD, Client

HI = [{"role": "human", "content": "hi"}]


async def test_operations_of_one_document_have_plans_of_their_own(
    client: Client,
) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": HI, "userId": "ann"})
    document = """
      query A($a: Boolean!, $f: Boolean!) { session(sessionId: "s") { uuid @include(if: $a) ...F } }
      query B($f: Boolean!, $z: Boolean!) { session(sessionId: "s") { uuid @include(if: $z) ...F } }
      fragment F on Session { user { id email @include(if: $f) } }
    """

    async def send(name: str, **variables: bool) -> Any:
        body = {"query": document, "operationName": name, "variables": variables}
        response: httpx.Response = await client.http.post("/graphql", json=body)
        return response.json()["data"]["session"]

    assert set((await send("A", a=True, f=False))["user"]) == {"id"}
    assert set((await send("B", f=True, z=False))["user"]) == {"id", "email"}


async def test_each_mutation_of_a_request_returns_what_it_left(client: Client) -> None:
    one = 'addMemory(input: {sessionId: "s", messages: [{role: "human", content: "x"}]}) { session { messageCount } }'
    data = await client.data(f"mutation {{ a: {one} b: {one} }}")
    assert [data[name]["session"]["messageCount"] for name in "ab"] == [1, 2]


async def test_metadata_changes_between_values_that_python_finds_equal(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": HI, "metadata": {"archived": 0, "deep": {"n": 1}}})
    changed = {"archived": False, "deep": {"n": 1.0}}
    query = "mutation U($input: UpdateSessionInput!) { updateSession(input: $input) { session { metadata } } }"
    await client.data(query, input={"sessionId": "s", "metadata": changed})
    metadata = (await client.data('{ session(sessionId: "s") { metadata } }'))["session"]["metadata"]
    assert metadata["archived"] is False
    assert isinstance(metadata["deep"]["n"], float)


def test_a_child_process_has_the_settings_of_its_parent(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    given = load_settings(
        allowed_origins="https://a.example,https://b.example", jwt_secret="x" * 32, data_dir=str(tmp_path), port="0"
    )
    for name, value in _as_environment(given).items():
        monkeypatch.setenv(name, value)
    assert Settings() == given
