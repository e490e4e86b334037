"""Searching a session over Zep's route."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph.store.database import Database
from tests.support.graphql_client import Client

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
