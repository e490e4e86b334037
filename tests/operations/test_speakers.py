"""Who spoke: a search prefers the messages of the speaker that the query names, by name or else by role."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from graph.enrichment.entities import Extractor
from graph.enrichment.worker import Worker
from graph.recall.embedding import embedder_of
from graph.settings import Settings
from graph.store.database import Database
from tests.support.graphql_client import ADD, Client

SEARCH = """query($words: String!, $filter: MessageFilter) {
  search(query: $words, userId: "ada", filter: $filter) { edges { score node { uuid name } } } }"""
EDIT = "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { uuid } } }"
SAID: list[dict[str, Any]] = [
    {"role": "user", "name": "Caroline", "content": "I went to the support group on Friday"},
    {"role": "user", "name": "Melanie", "content": "I went to the support group on Sunday"},
    {"role": "assistant", "content": "A support group can help"},
]


@pytest.fixture(params=["stored", "read"])
async def group(
    request: pytest.FixtureRequest, client: Client, database: Database, settings: Settings
) -> tuple[Client, list[str]]:
    """A session of a group, before or after a worker has read it; with the uuids of its messages."""
    added = await client.data(ADD, input={"sessionId": "s", "userId": "ada", "messages": SAID})
    if request.param == "read":
        worker = Worker(database, Extractor(), settings, embedder=embedder_of(settings))
        await worker.run(asyncio.Event(), drain=True)
    return client, [message["uuid"] for message in added["addMemory"]["memory"]["messages"]]


async def first(client: Client, words: str, **filter_: Any) -> str:
    found = (await client.data(SEARCH, words=words, filter=filter_))["search"]["edges"]
    return str(found[0]["node"]["uuid"])


async def test_the_named_speaker_is_preferred(group: tuple[Client, list[str]]) -> None:
    client, (caroline, melanie, assistant) = group
    assert await first(client, "When did Caroline go to the support group?") == caroline
    assert await first(client, "When did melanie go to the support group?") == melanie
    assert await first(client, "What did the assistant say about the support group?") == assistant
    assert await first(client, "When did Melanie go to the support group?", roles=["assistant"]) == assistant
    assert await first(client, "When did Melanie go to the support group?", roles=["user"]) == melanie


async def test_another_name_is_compared_at_once(group: tuple[Client, list[str]]) -> None:
    client, (caroline, melanie, _) = group
    assert await first(client, "When did Melanie go to the support group?") == melanie
    await client.data(EDIT, input={"uuid": melanie, "name": "Nora"})
    await client.data(EDIT, input={"uuid": caroline, "name": "Melanie"})
    assert await first(client, "When did Melanie go to the support group?") == caroline
    assert await first(client, "When did Nora go to the support group?") == melanie
