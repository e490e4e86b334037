"""Searching a session over Zep's route."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from graph.enrichment.entities import Extractor
from graph.enrichment.worker import Worker
from graph.recall.embedding import embedder_of
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from tests.support.access import served_with
from tests.support.embedding_server import EmbeddingServer
from tests.support.graphql_client import Client
from tests.support.untyped import untyped

LINES = [
    "Who was Octavia Butler?",
    "An author of science fiction.",
    "Which of her books were made into movies?",
    "Kindred became a series in 2022.",
    "The movie rights of Parable of the Sower were sold, a book that many read; what a book!",
    "Thanks!",
]


@pytest.fixture
async def search(client: Client) -> Any:
    """Searches session `s`; gives the places of the lines found."""
    for session_id, lines in (("s", LINES), ("other", LINES * 2)):
        said = [{"role": "human", "content": line, "metadata": {"n": n}} for n, line in enumerate(lines)]
        await client.http.post(f"/api/v1/sessions/{session_id}/memory", json={"messages": said})

    async def run(limit: int | None = None, **query: Any) -> list[int]:
        path = "/api/v1/sessions/s/search" + ("" if limit is None else f"?limit={limit}")
        response = await client.http.post(path, json=query)
        assert response.status_code == 200, response.text
        results = response.json()
        dists = [result["dist"] for result in results]
        assert all(isinstance(dist, float) and 0 <= dist < 1 for dist in dists)
        assert dists == sorted(dists, reverse=True)
        for result in results:
            assert (result["summary"], result["embedding"]) == (None, None)
        return [LINES.index(result["message"]["content"]) for result in results]

    return run


async def test_words_are_found_up_to_inflection_nearest_first(search: Any) -> None:
    assert await search(text="octavia") == [0]
    assert await search(text="movie") == await search(text="MOVIES?")
    assert set(await search(text="movie")) == {2, 4}
    assert (await search(text="book"))[0] == 4
    assert set(await search(text="octavia series thanks")) == {0, 3, 5}
    assert await search(text="octavia series thanks", limit=2) == (await search(text="octavia series thanks"))[:2]
    assert await search(text="nothing of this occurs") == []


@pytest.mark.parametrize("text", ["-octavia", '"octavia thanks', "octavia - thanks -series", '\\"octavia\\"'])
async def test_punctuation_has_no_power(search: Any, text: str) -> None:
    assert 0 in await search(text=text)


async def test_a_text_as_long_as_a_message_is_looked_for(search: Any) -> None:
    assert await search(text="octavia " + "x " * 100_000) == [0]


async def test_without_text_the_newest_come_first(search: Any) -> None:
    where = {"where": {"jsonpath": "$[*] ? (@.n >= 2)"}}
    assert await search(metadata=where) == [5, 4, 3, 2]
    assert await search(metadata=where, limit=2) == [5, 4]
    assert await search(text="movie", metadata={"where": {"jsonpath": "$ ? (@.n == 2)"}}) == [2]
    assert await search(text="thanks", metadata={"where": {"jsonpath": "$ ? (@.n == 2)"}}) == []


async def test_dates_bound_the_search_both_inclusive(search: Any, database: Database) -> None:
    start = datetime(2023, 7, 1, 12, tzinfo=UTC)
    for n in range(len(LINES)):
        at = start + timedelta(days=n)
        await database.messages.update_one({"sessionId": "s", "metadata.n": n}, {"$set": {"createdAt": at}})
    assert await search(metadata={"start_date": "2023-07-03"}) == [5, 4, 3, 2]
    assert await search(metadata={"end_date": "2023-07-02"}) == [1, 0]
    assert await search(metadata={"start_date": "2023-07-02", "end_date": "2023-07-03"}) == [2, 1]
    assert await search(metadata={"start_date": "2023-07-03T12:00:00Z", "end_date": "2023-07-04T12:00:00Z"}) == [3, 2]
    assert await search(metadata={"start_date": "2023-07-03T14:00:01+02:00", "end_date": "2023-07-04"}) == [3]
    assert await search(text="movie", metadata={"end_date": "2023-07-03"}) == [2]
    assert await search(metadata={"start_date": "2024-01-01"}) == []


async def test_what_clients_send_by_default_is_accepted(search: Any) -> None:
    for kind in ("similarity", "mmr", None):
        query = {"text": "octavia", "search_scope": None, "search_type": kind, "mmr_lambda": 0.5, "metadata": None}
        assert await search(**query) == [0]


async def test_deleted_messages_are_not_found(search: Any, client: Client) -> None:
    await client.http.delete("/api/v1/sessions/s/memory")
    assert await search(text="octavia") == []
    assert await search(metadata={"start_date": "2020-01-01"}) == []


async def test_an_unknown_session_has_no_results(client: Client) -> None:
    response = await client.http.post("/api/v1/sessions/nobody/search", json={"text": "octavia"})
    assert (response.status_code, response.json()) == (200, [])


async def embed(database: Database, settings: Settings) -> None:
    embedder = embedder_of(settings)
    await Worker(database, Extractor(), settings, embedder=embedder).run(asyncio.Event(), drain=True)


async def test_a_message_is_found_by_its_meaning_except_by_the_type_text(
    search: Any, database: Database, settings: Settings
) -> None:
    query = "Which novel did Hollywood want to film?"
    assert await search(text=query) == []
    await embed(database, settings)
    assert (await search(text=query))[0] in {2, 4}
    assert (await search(text=query, search_type="mmr", limit=1))[0] in {2, 4}
    assert await search(text=query, search_type="text") == []


SAME = ["We went to the zoo in Vienna.", "We went to the zoo in Vienna!", "The zoo sells lemonade.", "I like tea."]


async def test_mmr_prefers_results_that_differ(client: Client, database: Database, settings: Settings) -> None:
    said = [{"role": "human", "content": content} for content in SAME]
    await client.http.post("/api/v1/sessions/zoo/memory", json={"messages": said})
    await embed(database, settings)

    async def found(**query: Any) -> list[int]:
        body = {"text": "zoo in Vienna", **query}
        hits = (await client.http.post("/api/v1/sessions/zoo/search?limit=2", json=body)).json()
        return [SAME.index(hit["message"]["content"]) for hit in hits]

    assert set(await found()) == set(await found(search_type="mmr", mmr_lambda=1)) == {0, 1}
    for different in ({"mmr_lambda": 0.3}, {"mmr_lambda": 0}):
        first, second = await found(search_type="mmr", **different)
        assert first in {0, 1}
        assert second in {2, 3}
    where = {"where": {"jsonpath": '$ ? (@.none == "x")'}}
    assert await found(search_type="mmr", metadata=where) == []


SUMMARIES = ["They planned the garden and bought roses.", "A doctor examined the injured knee.", "They like chess."]


async def test_summaries_are_found_by_words_and_by_meaning(client: Client, database: Database) -> None:
    said = [{"role": "human", "content": f"line {number}"} for number in range(30)]
    await client.http.post("/api/v1/sessions/s/memory", json={"messages": said})
    for number, content in enumerate(SUMMARIES):
        summary = {"_id": str(uuid4()), "sessionId": "s", "firstSeq": 1, "lastSeq": 6 * number + 6, "content": content}
        stored = {"lastMessageUuid": str(uuid4()), "tokenCount": 9, "source": "EXTRACTIVE", "entities": []}
        await untyped(database, "summaries").insert_one({**summary, **stored, "createdAt": now()})

    async def found(text: str, **query: Any) -> list[int]:
        body = {"text": text, "search_scope": "summary", **query}
        hits = (await client.http.post("/api/v1/sessions/s/search?limit=5", json=body)).json()
        return [SUMMARIES.index(hit["summary"]["content"]) for hit in hits]

    assert (await found("rose gardens"))[0] == 0
    assert (await found("hospital visit about a leg"))[0] == 1
    assert await found("hospital visit about a leg", search_type="text") == []
    assert await found("garden", metadata={"end_date": "2020-01-01"}) == []
    await client.http.delete("/api/v1/sessions/s/memory")
    assert await found("garden") == []


@pytest.mark.parametrize("scope", ["messages", "summary"])
async def test_words_are_compared_while_the_model_is_away(
    settings: Settings, mongodb_uri: str, database: Database, scope: str
) -> None:
    with EmbeddingServer(503) as server:
        away = {"embedding_base_url": server.base_url, "embedding_model": "m"}
        async with served_with(settings, mongodb_uri, **away) as client:
            said = [{"role": "human", "content": line} for line in LINES]
            await client.http.post("/api/v1/sessions/s/memory", json={"messages": said})
            await untyped(database, "summaries").insert_one(
                {
                    "_id": str(uuid4()),
                    "sessionId": "s",
                    "firstSeq": 1,
                    "lastSeq": 2,
                    "content": LINES[0],
                    "lastMessageUuid": str(uuid4()),
                    "tokenCount": 9,
                    "entities": [],
                    "createdAt": now(),
                }
            )
            body = {"text": "octavia", "search_scope": scope}
            (hit,) = (await client.http.post("/api/v1/sessions/s/search", json=body)).json()
            assert (hit["message"] or hit["summary"])["content"] == LINES[0]
