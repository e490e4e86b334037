"""The integer ids that Zep's clients page by."""

from __future__ import annotations

import asyncio
from typing import cast

from graph.store.database import Database, open_database
from graph.store.documents import SessionDocument
from graph.store.reading.numbers import ensure_number, list_by_number
from tests.support.graphql_client import ADD, Client

API = "/api/v1"
SAID = [{"role": "human", "content": "Hi"}]


async def ids(client: Client, query: str = "") -> list[tuple[int, str]]:
    listed = (await client.http.get(f"{API}/sessions{query}")).json()
    return [(session["id"], session["session_id"]) for session in listed]


async def test_ids_count_from_one_in_the_order_of_making_whoever_made_them(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "a", "messages": SAID})
    assert (await client.http.post(f"{API}/sessions", json={"session_id": "b"})).json()["id"] == 1
    await client.data(ADD, input={"sessionId": "c", "messages": SAID})
    await client.http.post(f"{API}/sessions/d/memory", json={"messages": SAID})
    assert await ids(client) == [(1, "b"), (2, "a"), (3, "c"), (4, "d")]
    assert await ids(client, "?limit=2&cursor=1") == [(2, "a"), (3, "c")]
    assert await ids(client, "?limit=0") == []
    assert await ids(client, "?cursor=4") == []


async def test_a_deletion_leaves_a_hole_and_no_id_is_used_again(client: Client) -> None:
    for name in "abc":
        await client.http.post(f"{API}/sessions", json={"session_id": name})
    await client.data('mutation { deleteSession(input: { sessionId: "b" }) { __typename } }')
    await client.http.post(f"{API}/sessions", json={"session_id": "b"})
    assert await ids(client) == [(1, "a"), (3, "c"), (4, "b")]


async def test_a_chunked_listing_sees_every_session(client: Client) -> None:
    for number in range(7):
        await client.data(ADD, input={"sessionId": f"s{number}", "userId": "u", "messages": SAID})
    cursor, seen = 0, []
    while chunk := await ids(client, f"?limit=3&cursor={cursor}"):
        seen += chunk
        cursor += 3
    assert sorted(name for _, name in seen) == [f"s{number}" for number in range(7)]
    assert [number for number, _ in seen] == list(range(1, 8))
    of_user = (await client.http.get(f"{API}/user/u/sessions")).json()
    assert [session["id"] for session in of_user] == list(range(1, 8))


async def test_ids_stay_dense_whoever_asks_at_once(client: Client, database: Database, mongodb_uri: str) -> None:
    for number in range(40):
        await database.sessions.insert_one(session_document(f"s{number}"))
    other = await open_database(mongodb_uri, name=database.name)
    try:
        listings = await asyncio.gather(
            *(list_by_number(each, "sessions", {}, after=None, limit=None) for each in [database, other] * 4),
            *(
                ensure_number(each, "sessions", session_document(f"s{number}"))
                for number, each in enumerate([database, other] * 10)
            ),
        )
    finally:
        await other.close()
    assert len(listings) == 28
    stored = await database.sessions.find({}, {"number": 1})
    assert sorted(document["number"] for document in stored) == list(range(1, 41))


def session_document(name: str) -> SessionDocument:
    return cast("SessionDocument", {"_id": name, "createdAt": 0, "metadata": {}})
