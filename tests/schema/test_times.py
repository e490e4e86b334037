"""The scalar DateTime, and the spans of time that filters take."""

from __future__ import annotations

import pytest

from graph.store.database import Database
from tests.support.graphql_client import ADD, OCTAVIA, Client

LISTED = """query L($since: DateTime, $until: DateTime) {
  sessions(first: 5, after: "", filter: { createdAt: { since: $since, until: $until } }) {
    edges { node { sessionId createdAt } }
  }
}"""


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31t12:00:00.123456789z",
        "2026-01-31T12:00:00-00:00",
        "2026-01-31T12:00:00.5+23:59",
        "2016-12-31T23:59:60Z",
        "2017-01-01T00:59:60.9+01:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
    ],
)
async def test_a_time_of_rfc_3339_is_accepted(client: Client, time: str) -> None:
    assert "sessions" in await client.data(LISTED, since=time, until=time)


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-31Z",
        "2026-01-31",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "20260131T120000Z",
        "2026-W05-6T12:00:00Z",
        "2026-01-31T12:00:00,5Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00+01:00:30",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T24:00:00Z",
        "2026-02-29T12:00:00Z",
        "2026-01-30T23:59:60Z",
        "2026-01-31T12:00:00Z\n",
        "\u0662026-01-31T12:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "",
        "2026-01-31T12:00:00." + "1" * 5_000,
        5,
        {"a": "x" * 5_000},
    ],
)
async def test_any_other_time_is_refused(client: Client, time: object) -> None:
    error = await client.error(LISTED, since=time)
    assert error["code"] == "BAD_USER_INPUT"
    assert "DateTime must be" in error["message"]
    if isinstance(time, str) and ": write " in error["message"]:
        advised = error["message"].split(": write ")[1].split()[0]
        await client.data(LISTED, since=advised)


async def test_a_bound_within_a_millisecond_includes_it(client: Client, database: Database) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA})
    (edge,) = (await client.data(LISTED))["sessions"]["edges"]
    at: str = edge["node"]["createdAt"]
    for digits in ("5", "001", "000001", "0000000001"):
        within = at.replace("Z", f"{digits}Z")
        assert (await client.data(LISTED, since=within))["sessions"]["edges"] == [edge]
        assert (await client.data(LISTED, until=within))["sessions"]["edges"] == [edge]
    assert (await client.data(LISTED, until=at))["sessions"]["edges"] == []
    assert await database.sessions.count_documents({}) == 1


async def test_an_empty_cursor_is_the_start(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA})
    query = """query M($after: String, $before: String) {
      session(sessionId: "s") { messages(%s: 2, after: $after, before: $before) { edges { node { seq } } } }
    }"""
    for side in ("first", "last"):
        assert await client.data(query % side, after="", before="") == await client.data(query % side)
