"""Whatever is sent to Zep's routes: never a 500, never half a write, and what is stored can be read."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.store.database import Database
from tests.support.graphql_client import Client

API = "/api/v1"
UUID = "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa"

texts = st.text(max_size=8) | st.sampled_from(["s", "u", "human", "messages", "summary", "mmr", "a/b", UUID, "\ud800"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.sampled_from(["2023-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "$[*] ? (@.a == 1)", 10**30])
)
names = st.sampled_from(
    [
        *("session_id", "user_id", "metadata", "messages", "role", "content", "uuid", "text", "search_scope", "limit"),
        *("search_type", "mmr_lambda", "where", "jsonpath", "and", "or", "start_date", "end_date", "email", "system"),
    ]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | texts, inner, max_size=4),
    max_leaves=12,
)
messages = st.fixed_dictionaries(
    {"role": texts | scalars, "content": texts | scalars}, optional={"uuid": texts, "metadata": values}
)
wheres = st.recursive(
    st.fixed_dictionaries({"jsonpath": texts | st.text("$@.[]*?()=<>\"'a1 ", max_size=20).map("$".__add__)}),
    lambda inner: (
        st.fixed_dictionaries({"and": st.lists(inner, max_size=2)})
        | st.fixed_dictionaries({"or": st.lists(inner, max_size=2)})
    ),
    max_leaves=4,
)
bodies = st.one_of(
    st.dictionaries(names, values, max_size=6),
    st.fixed_dictionaries({"messages": st.lists(messages, max_size=3)}, optional={"metadata": values}),
    st.fixed_dictionaries(
        {},
        optional={"text": texts, "metadata": st.fixed_dictionaries({}, optional={"where": wheres, "end_date": texts})},
    ),
    values,
).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20)
ids = texts.map(lambda text: quote(text, safe="", errors="surrogatepass").replace(".", "%2E"))
paths = st.one_of(
    st.sampled_from(["/sessions", "/user", "/collection"]),
    ids.map("/sessions/{}".format),
    ids.map("/sessions/{}/memory".format),
    ids.map("/sessions/{}/messages".format),
    ids.map("/sessions/{}/search".format),
    st.tuples(ids, ids).map(lambda pair: "/sessions/{}/messages/{}".format(*pair)),
    ids.map("/user/{}".format),
    ids.map("/user/{}/sessions".format),
    ids.map("/{}".format),
)
parameters = st.dictionaries(
    st.sampled_from(["limit", "cursor", "lastn"]),
    st.integers().map(str) | st.text(max_size=4).map(lambda text: text.encode(errors="replace").decode()),
    max_size=2,
)
ANSWERS = {200, 201, 400, 404, 405, 501}


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(method=st.sampled_from(["GET", "POST", "POST", "PATCH", "DELETE"]), path=paths, query=parameters, body=bodies)
async def test_every_request_is_answered_and_writes_are_whole(
    client: Client, database: Database, *, method: str, path: str, query: dict[str, str], body: bytes
) -> None:
    before = await stored(database)
    response = await client.http.request(method, API + path, params=query, content=None if method == "GET" else body)
    assert response.status_code in ANSWERS, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"].startswith("text/plain")
        assert len(response.text.splitlines()) == 1
        assert await stored(database) == before
    for listing in ("/sessions?limit=3", "/user?limit=3"):
        assert (await client.http.get(API + listing)).status_code == 200


async def stored(database: Database) -> list[Any]:
    """Everything but the integer ids, which are allotted when a listing asks for them."""
    collections = (database.sessions, database.users, database.messages, database.memories)
    return [await collection.find({}, {"number": 0}, sort=[("_id", 1)]) for collection in collections]
