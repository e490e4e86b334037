"""Real JavaScript clients against the running server, each with its ordinary settings."""

from __future__ import annotations

import pytest

from tests.graphql_client import ADD, Client
from tests.node_project import install, run_script


@pytest.mark.timeout(600)  # the first one installs the project
@pytest.mark.parametrize("name", ["graphql-ws", "graphql-sse", "apollo", "apollo-ws", "urql", "urql-ws"])
async def test_a_client_queries_and_follows(client: Client, name: str) -> None:
    install()
    messages = [{"role": "human", "content": text} for text in ("first", "second")]
    await client.data(ADD, input={"sessionId": "s", "messages": messages})
    url = f"{str(client.http.base_url).rstrip('/')}/graphql"
    assert await run_script("clients.mjs", url, name, "s") == {"messageCount": 2, "seqs": [1, 2, 3]}
