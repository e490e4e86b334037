"""What Zep's routes answer, down to the status and the text."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import ADD, OCTAVIA, Client
from tests.support.tcp import closed_at_end

API = "/api/v1"
UUID = "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa"
JSON = {"Content-Type": "application/json"}


def is_an_error(response: httpx.Response, status: int) -> bool:
    text = response.text
    return (
        response.status_code == status
        and response.headers["content-type"].startswith("text/plain")
        and len(text) > 0
        and len(text.splitlines()) == 1
    )


@pytest.fixture
async def http(client: Client) -> httpx.AsyncClient:
    """A client of a server with a session `s` of three messages."""
    await client.data(ADD, input={"sessionId": "s", "userId": "u", "messages": OCTAVIA})
    return client.http


@pytest.mark.parametrize("path", ["/healthz", "//healthz", "/healthz/"])
async def test_the_start_up_check_answers_with_a_version_that_clients_accept(client: Client, path: str) -> None:
    response = await client.http.get(f"{str(client.http.base_url).rstrip('/')}{path}")
    assert (response.status_code, response.text) == (200, ".")
    assert response.headers["X-Zep-Version"].startswith("0.27.2-")


ANSWERS = [
    ("GET", "/sessions/nobody", 404),
    ("PATCH", "/sessions/nobody", 404),
    ("GET", "/sessions/nobody/memory", 404),
    ("DELETE", "/sessions/nobody/memory", 404),
    ("GET", "/sessions/s/memory?lastn=x", 400),
    ("GET", "/sessions/s/memory?lastn=-1", 400),
    ("GET", "/sessions/s/memory?lastn=1.5", 400),
    ("GET", "/sessions?limit=x", 400),
    ("GET", "/sessions?cursor=-1", 400),
    ("GET", "/sessions/s/messages?cursor=0", 400),
    ("GET", "/sessions/s/messages?limit=1e3", 400),
    ("GET", f"/sessions/s/messages/{UUID}", 404),
    ("PATCH", f"/sessions/s/messages/{UUID}", 404),
    ("GET", "/sessions/s/messages/no-uuid", 400),
    ("PATCH", "/sessions/s/messages/no-uuid", 400),
    ("GET", "/user/nobody", 404),
    ("PATCH", "/user/nobody", 404),
    ("DELETE", "/user/nobody", 404),
    ("GET", "/user/nobody/sessions", 404),
    ("GET", "/user?limit=-1", 400),
    ("POST", "/sessions/s/search", 400),
    ("POST", "/sessions/s/search?limit=many", 400),
    ("GET", "/sessions/%FF", 400),
    ("POST", "/sessions/%FF/memory", 400),
    ("GET", "/sessions//memory", 400),
    ("POST", "/sessions///memory", 400),
    ("DELETE", "/sessions//memory/", 400),
    ("GET", "/sessions//messages", 400),
    ("GET", f"/sessions//messages//{UUID}", 400),
    ("POST", "/sessions//search", 400),
    ("GET", "/user//sessions", 400),
    ("GET", "/nothing", 404),
    ("PUT", "/sessions", 405),
    ("GET", "/collection", 501),
    ("POST", "/collection/name/document", 501),
    ("DELETE", "/collection/name", 501),
]


async def test_the_status_is_that_of_the_table_and_the_body_one_line(http: httpx.AsyncClient) -> None:
    for method, path, status in ANSWERS:
        body = {"messages": [{"role": "human", "content": "Hi"}]} if path.endswith("memory") else {}
        response = await http.request(method, API + path, json=None if method == "GET" else body)
        assert is_an_error(response, status), (method, path, response.status_code, response.text)


BAD_MEMORIES = [
    b"",
    b"nonsense",
    b"[]",
    b'"text"',
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"messages": 1}',
    b'{"messages": [1]}',
    b'{"messages": []}',
    b'{"messages": null}',
    b'{"messages": [{"role": "human"}]}',
    b'{"messages": [{"content": "Hi"}]}',
    b'{"messages": [{"role": "", "content": "Hi"}]}',
    b'{"messages": [{"role": "human", "content": 1}]}',
    b'{"messages": [{"role": "human", "content": "\\ud800"}]}',
    b'{"messages": [{"role": "human", "content": "Hi", "uuid": "x"}]}',
    b'{"messages": [{"role": "human", "content": "Hi", "uuid": 5}]}',
    b'{"messages": [{"role": "human", "content": "Hi", "metadata": []}]}',
    b'{"messages": [{"role": "human", "content": "Hi", "metadata": {"a": NaN}}]}',
    b'{"messages": [{"role": "human", "content": "Hi", "metadata": {"a": 1e999}}]}',
    b'{"messages": [{"role": "human", "content": "Hi", "metadata": {"a": 99999999999999999999}}]}',
    b'{"messages": [{"role": "human", "content": "Hi"}], "metadata": "text"}',
]


async def test_a_bad_memory_is_refused_whole(http: httpx.AsyncClient, database: Database) -> None:
    for body in BAD_MEMORIES:
        response = await http.post(f"{API}/sessions/new/memory", content=body, headers=JSON)
        assert is_an_error(response, 400), (body, response.status_code, response.text)
        assert await database.sessions.find_one({"_id": "new"}) is None
        assert await database.messages.count_documents({}) == 3


BAD_VALUES: list[tuple[str, Any]] = [
    ("/sessions", {}),
    ("/sessions", {"session_id": ""}),
    ("/sessions", {"session_id": 5}),
    ("/sessions", {"session_id": None}),
    ("/sessions", {"session_id": "s"}),
    ("/sessions", {"session_id": "x" * 513}),
    ("/sessions", {"session_id": "a\0b"}),
    ("/sessions", {"session_id": "t", "user_id": "nobody"}),
    ("/sessions", {"session_id": "t", "user_id": 5}),
    ("/sessions", {"session_id": "t", "metadata": [1]}),
    ("/user", {}),
    ("/user", {"user_id": ""}),
    ("/user", {"user_id": "u"}),
    ("/user", {"user_id": "v", "email": 5}),
    ("/user", {"user_id": "v", "first_name": {}}),
    ("/user", {"user_id": "v", "metadata": "text"}),
    ("/sessions/s/search", {"text": "  "}),
    ("/sessions/s/search", {"text": None, "metadata": None}),
    ("/sessions/s/search", {"text": 5}),
    ("/sessions/s/search", {"text": "a", "metadata": {"foo": "bar"}}),
    ("/sessions/s/search", {"text": "a", "metadata": [1]}),
    ("/sessions/s/search", {"text": "a", "metadata": {"where": {}}}),
    ("/sessions/s/search", {"text": "a", "metadata": {"where": {"jsonpath": "nonsense"}}}),
    ("/sessions/s/search", {"text": "a", "metadata": {"start_date": "yesterday"}}),
    ("/sessions/s/search", {"text": "a", "metadata": {"end_date": 5}}),
    ("/sessions/s/search", {"text": "a", "search_scope": "everything"}),
    ("/sessions/s/search", {"text": "a", "search_type": "best"}),
    ("/sessions/s/search", {"text": "a", "mmr_lambda": "half"}),
    ("/sessions/s/search", {"text": "a", "mmr_lambda": True}),
    ("/sessions/s/search", {"text": "a", "mmr_lambda": 2}),
]


async def test_a_bad_value_is_named(http: httpx.AsyncClient, database: Database) -> None:
    for path, body in BAD_VALUES:
        response = await http.post(API + path, json=body)
        assert is_an_error(response, 400), (path, body, response.status_code, response.text)
    assert await database.sessions.count_documents({}) == 1
    assert await database.users.count_documents({}) == 1


async def test_a_body_over_the_limit_is_refused(settings: Settings, mongodb_uri: str, database: Database) -> None:
    async with served_with(settings, mongodb_uri, body_limit=1_000) as client:
        response = await client.http.post(f"{API}/sessions/s/memory", content=b" " * 2_000)
        assert is_an_error(response, 413)


async def test_a_body_that_does_not_come_is_given_up(settings: Settings, mongodb_uri: str, database: Database) -> None:
    head = f"POST {API}/sessions/s/memory HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    async with served_with(settings, mongodb_uri, request_timeout=0.2) as client, asyncio.timeout(60):
        url = client.http.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        async with closed_at_end(writer):
            writer.write(head.encode() + b'{"messages": ')
            assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
            answer = await reader.readuntil(b"\r\n\r\n")
            assert b"content-type: text/plain" in answer.lower()


async def test_empty_parameters_are_absent(http: httpx.AsyncClient) -> None:
    for path in ("/user?limit=&cursor=", "/sessions?limit=&cursor=", "/user"):
        assert len((await http.get(API + path)).json()) == 1
    assert (await http.get(f"{API}/sessions/s/messages?limit=&cursor=")).json()["row_count"] == 3
    assert len((await http.get(f"{API}/sessions/s/memory?lastn=")).json()["messages"]) == 3


async def test_numbers_beyond_all_bounds_mean_all_or_nothing(http: httpx.AsyncClient) -> None:
    huge = "9" * 60
    assert len((await http.get(f"{API}/sessions/s/memory?lastn={huge}")).json()["messages"]) == 3
    assert (await http.get(f"{API}/sessions/s/messages?limit={huge}&cursor={huge}")).json()["messages"] == []
    assert (await http.get(f"{API}/sessions?cursor={huge}")).json() == []
    found = await http.post(f"{API}/sessions/s/search?limit={huge}", json={"text": "books"})
    assert len(found.json()) == 1


async def test_messages_come_in_pages_that_count_from_one(http: httpx.AsyncClient, client: Client) -> None:
    more = [{"role": "human", "content": f"line {number}"} for number in range(5)]
    await http.post(f"{API}/sessions/s/memory", json={"messages": more})
    everything = (await http.get(f"{API}/sessions/s/messages")).json()
    assert (everything["total_count"], everything["row_count"]) == (8, 8)
    pages = [(await http.get(f"{API}/sessions/s/messages?limit=3&cursor={page}")).json() for page in (1, 2, 3, 4)]
    assert [page["row_count"] for page in pages] == [3, 3, 2, 0]
    assert sum((page["messages"] for page in pages), []) == everything["messages"]  # noqa: RUF017
    third = everything["messages"][2]["uuid"]
    await client.data("mutation M($u: UUID!) { deleteMessage(input: { uuid: $u }) { __typename } }", u=third)
    left = [message for message in everything["messages"] if message["uuid"] != third]
    pages = [(await http.get(f"{API}/sessions/s/messages?limit=3&cursor={page}")).json() for page in (1, 2, 3)]
    assert [page["total_count"] for page in pages] == [7, 7, 7]
    assert sum((page["messages"] for page in pages), []) == left  # noqa: RUF017


async def test_lastn_of_zero_is_as_absent(http: httpx.AsyncClient) -> None:
    absent = (await http.get(f"{API}/sessions/s/memory")).json()
    assert len(absent["messages"]) == 3
    assert (await http.get(f"{API}/sessions/s/memory?lastn=0")).json() == absent


async def test_a_content_of_null_is_an_empty_text(http: httpx.AsyncClient) -> None:
    body = {"messages": [{"role": "ai", "content": None, "metadata": {"tool": "search"}}]}
    assert (await http.post(f"{API}/sessions/s/memory", json=body)).text == "OK"
    last = (await http.get(f"{API}/sessions/s/memory?lastn=1")).json()["messages"][0]
    assert (last["content"], last["metadata"]) == ("", {"tool": "search"})


async def test_a_session_named_as_a_part_of_the_address_is_read(http: httpx.AsyncClient) -> None:
    await http.post(f"{API}/sessions", json={"session_id": "memory"})
    assert (await http.get(f"{API}/sessions/memory")).json()["session_id"] == "memory"


async def test_a_byte_order_mark_before_a_body_is_skipped(http: httpx.AsyncClient) -> None:
    content = b"\xef\xbb\xbf" + b'{"messages": [{"role": "human", "content": "Hi"}]}'
    assert (await http.post(f"{API}/sessions/s/memory", content=content)).text == "OK"
    content = b"\xef\xbb\xbf" + b'{"query": "{ __typename }"}'
    answer = await http.post("/graphql", content=content, headers=JSON)
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_a_date_within_a_millisecond_includes_it(http: httpx.AsyncClient) -> None:
    first = (await http.get(f"{API}/sessions/s/messages")).json()["messages"][0]
    within = first["created_at"].replace("Z", "500Z")
    for name in ("start_date", "end_date"):
        found = await http.post(f"{API}/sessions/s/search", json={"metadata": {name: within}})
        assert first["uuid"] in [hit["message"]["uuid"] for hit in found.json()]


@pytest.mark.parametrize("path", ["/sessions/s", "//sessions//s/", "/sessions/%73"])
async def test_repeated_slashes_and_needless_escapes_do_not_matter(http: httpx.AsyncClient, path: str) -> None:
    base = str(http.base_url).rstrip("/")
    response = await http.get(f"{base}/{API}{path}")
    assert response.json()["session_id"] == "s"


async def test_any_session_id_can_be_reached_percent_encoded(client: Client) -> None:
    ids = ["a/b", "a/memory", "a//b", "/a", "a/", "ü", "a b", "a?b#c", "a%2Fb", "a\nb", "..", "a/messages/b"]
    for session_id in ids:
        path = f"{API}/sessions/{quote(session_id, safe='').replace('..', '%2E%2E')}"
        url = httpx.URL(str(client.http.base_url)).copy_with(raw_path=f"{path}/memory".encode())
        response = await client.http.post(url, json={"messages": OCTAVIA})
        assert response.text == "OK"
        assert len((await client.http.get(url)).json()["messages"]) == 3
        got = await client.http.get(url.copy_with(raw_path=path.encode()))
        assert got.json()["session_id"] == session_id
    counted = await client.data("{ sessions(first: 50) { edges { node { sessionId messageCount } } } }")
    assert {
        edge["node"]["sessionId"]: edge["node"]["messageCount"] for edge in counted["sessions"]["edges"]
    } == dict.fromkeys(ids, 3)


async def test_a_slash_in_a_session_id_need_not_be_encoded(client: Client) -> None:
    for session_id in ("a/b", "team/2024/x"):
        assert (await client.http.post(f"{API}/sessions/{session_id}/memory", json={"messages": OCTAVIA})).text == "OK"
        messages = (await client.http.get(f"{API}/sessions/{session_id}/messages")).json()["messages"]
        one = await client.http.get(f"{API}/sessions/{session_id}/messages/{messages[0]['uuid']}")
        assert one.json() == messages[0]
        assert (await client.http.get(f"{API}/sessions/{session_id}")).json()["session_id"] == session_id


async def test_a_json_body_may_be_labelled_as_text(http: httpx.AsyncClient) -> None:
    message = (await http.get(f"{API}/sessions/s/messages")).json()["messages"][0]
    response = await http.patch(
        f"{API}/sessions/s/messages/{message['uuid']}",
        content=json.dumps({"metadata": {"a": 1}}),
        headers={"Content-Type": "text/plain;charset=UTF-8"},
    )
    assert response.json()["metadata"] == {"a": 1}


async def test_a_message_is_only_found_in_its_own_session(http: httpx.AsyncClient) -> None:
    await http.post(f"{API}/sessions/other/memory", json={"messages": OCTAVIA})
    message = (await http.get(f"{API}/sessions/s/messages")).json()["messages"][0]
    path = f"{API}/sessions/other/messages/{message['uuid']}"
    assert is_an_error(await http.get(path), 404)
    assert is_an_error(await http.patch(path, json={"metadata": {"a": 1}}), 404)


@pytest.mark.parametrize("key", ["system", "ok"])
async def test_no_caller_writes_the_systems_metadata(http: httpx.AsyncClient, database: Database, key: str) -> None:
    forged = {key: {"entities": "forged"}, "nested": {"system": 1}}
    kept = {"nested": {"system": 1}} if key == "system" else forged
    said = {"role": "human", "content": "Hi", "metadata": forged}
    await http.post(f"{API}/user", json={"user_id": "v", "metadata": forged})
    await http.post(f"{API}/sessions", json={"session_id": "t", "user_id": "v", "metadata": forged})
    await http.post(f"{API}/sessions/t/memory", json={"messages": [said], "metadata": forged})
    message = (await http.get(f"{API}/sessions/t/messages")).json()["messages"][0]
    for path in ("/user/v", "/sessions/t", f"/sessions/t/messages/{message['uuid']}"):
        changed = (await http.patch(API + path, json={"metadata": forged})).json()
        assert changed["metadata"] == kept
    await http.patch(f"{API}/sessions/t/messages/{message['uuid']}", json=forged)
    for collection in (database.users, database.sessions, database.messages, database.memories):
        for document in await collection.find({"_id": {"$nin": ["u", "s"]}, "sessionId": {"$ne": "s"}}):
            assert document["metadata"] == kept


async def test_a_session_does_not_change_its_user(http: httpx.AsyncClient) -> None:
    await http.post(f"{API}/user", json={"user_id": "v"})
    changed = await http.patch(f"{API}/sessions/s", json={"session_id": "s", "user_id": "v", "metadata": {"a": 1}})
    assert (changed.status_code, changed.json()["user_id"]) == (200, "u")


async def test_a_known_uuid_updates_its_message(http: httpx.AsyncClient) -> None:
    message = (await http.get(f"{API}/sessions/s/messages")).json()["messages"][0]
    message["content"] = "Who is Octavia Butler?"
    assert (await http.post(f"{API}/sessions/s/memory", json={"messages": [message]})).text == "OK"
    messages = (await http.get(f"{API}/sessions/s/messages")).json()["messages"]
    assert (len(messages), messages[0]["content"]) == (3, "Who is Octavia Butler?")
    none = {"uuid": "00000000-0000-0000-0000-000000000000", "role": "ai", "content": "new"}
    for _ in range(2):
        assert (await http.post(f"{API}/sessions/s/memory", json={"messages": [none, {**none, "uuid": ""}]})).is_success
    assert (await http.get(f"{API}/sessions/s/messages")).json()["total_count"] == 7


async def test_who_may_do_what_is_as_for_graphql(settings: Settings, mongodb_uri: str, database: Database) -> None:
    said = {"messages": [{"role": "human", "content": "Octavia Butler is an author."}]}
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        http = client.http
        assert (await http.get("/healthz")).text == "."
        for method, path in (("GET", "/sessions"), ("POST", "/sessions/s/memory"), ("DELETE", "/user/ada")):
            response = await http.request(method, API + path)
            assert is_an_error(response, 401)
        as_caller(client, "nonsense")
        assert is_an_error(await http.get(f"{API}/sessions"), 401)
        as_caller(client, token("ada"))
        assert (await http.post(f"{API}/sessions/hers/memory", json=said)).text == "OK"
        as_caller(client, token("bob"))
        assert is_an_error(await http.get(f"{API}/sessions/hers/memory"), 404)
        assert is_an_error(await http.get(f"{API}/sessions/hers"), 404)
        assert is_an_error(await http.get(f"{API}/user/ada"), 404)
        assert is_an_error(await http.delete(f"{API}/sessions/hers/memory"), 404)
        assert is_an_error(await http.delete(f"{API}/user/ada"), 403)
        assert is_an_error(await http.post(f"{API}/sessions/hers/memory", json=said), 403)
        assert (await http.get(f"{API}/sessions")).json() == []
        assert (await http.get(f"{API}/sessions/hers/messages")).json()["messages"] == []
        assert (await http.post(f"{API}/sessions/hers/search", json={"text": "author"})).json() == []
        as_caller(client, token("ada"))
        assert [session["session_id"] for session in (await http.get(f"{API}/sessions")).json()] == ["hers"]
        assert len((await http.post(f"{API}/sessions/hers/search", json={"text": "author"})).json()) == 1


async def test_a_users_budget_is_spent_here_too(settings: Settings, mongodb_uri: str, database: Database) -> None:
    changes = {"jwt_secret": SecretStr(SECRET), "user_budget": 100}
    async with served_with(settings, mongodb_uri, **changes) as client:
        as_caller(client, token("ada"))
        answers = [await client.http.get(f"{API}/sessions?limit=40") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert is_an_error(answers[2], 429)
        assert int(answers[2].headers["Retry-After"]) > 0
        as_caller(client, token("bob"))
        assert is_an_error(await client.http.get(f"{API}/sessions"), 429), "all that there is costs more"


async def test_a_page_of_another_site_can_not_write(client: Client) -> None:
    path = f"{API}/sessions/{uuid.uuid4()}/memory"
    refused = await client.http.post(path, json={"messages": OCTAVIA}, headers={"Origin": "https://example.org"})
    assert is_an_error(refused, 403)
    own = str(client.http.base_url).rstrip("/")
    assert (await client.http.post(path, json={"messages": OCTAVIA}, headers={"Origin": own})).is_success
