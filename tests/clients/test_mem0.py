"""The move from mem0, with mem0 in an environment of its own."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from tests.support.embedding_server import EmbeddingServer
from tests.support.graphql_client import Client
from tests.support.paths import ROOT
from tests.support.python_tools import MEM0, run_tool

ITEMS = """
query($user: ID!, $after: String) { items(userId: $user, first: 100, after: $after) {
    edges { node { namespace key value expiresAt revision } } pageInfo { hasNextPage endCursor } } }
"""


@pytest.mark.slow
async def test_the_memories_of_a_user_become_items(client: Client, tmp_path: Path) -> None:
    with EmbeddingServer() as server:
        openai = {"api_key": "none", "openai_base_url": server.base_url, "embedding_dims": 384}
        store = {"path": str(tmp_path / "qdrant"), "on_disk": True, "embedding_model_dims": 384}
        config = {
            "vector_store": {"provider": "qdrant", "config": store},
            "embedder": {"provider": "openai", "config": openai},
            "llm": {"provider": "openai", "config": {"api_key": "none"}},
            "history_db_path": str(tmp_path / "history.db"),
        }
        (tmp_path / "mem0.json").write_text(json.dumps(config))

        def run(*command: str) -> str:
            done = run_tool(
                *("-P", *command),
                cwd=tmp_path,
                home=MEM0,
                HOME=str(tmp_path),
                MEM0_TELEMETRY="False",
                PYTHONPATH=str(ROOT / "clients" / "python" / "src"),
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        await anyio.to_thread.run_sync(run, str(MEM0 / "filled.py"), "mem0.json")
    example = (str(ROOT / "examples" / "move_from_mem0.py"), "mem0.json", "ada", str(client.http.base_url))
    for _ in range(2):
        moved = await anyio.to_thread.run_sync(run, *example)
        assert "moved 122 memories of ada" in moved
        assert "What do I like to eat? I like pizza with mushrooms, é" in moved
    page = (await client.data(ITEMS, user="ada"))["items"]
    rest = (await client.data(ITEMS, user="ada", after=page["pageInfo"]["endCursor"]))["items"]
    found = {edge["node"]["value"]["text"]: edge["node"] for edge in page["edges"] + rest["edges"]}
    assert len(found) == len(page["edges"]) + len(rest["edges"]) == 122
    pizza, jog = found["I like pizza with mushrooms, é"], found["I jog each morning"]
    assert pizza["namespace"] == ["memories"]
    assert pizza["value"]["metadata"] == {"kind": "food"}
    assert pizza["value"]["id"] == pizza["key"]
    assert pizza["expiresAt"] is None
    assert (jog["value"]["agent_id"], jog["expiresAt"]) == ("coach", "3000-01-01T00:00:00.000Z")
    assert (await client.data(ITEMS, user="bob"))["items"]["edges"] == []
