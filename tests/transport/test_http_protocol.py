"""GraphQL over HTTP: what is accepted, and how everything else is refused."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
from typing import Any

import anyio.to_thread
import pytest

from tests.support.graphql_client import ADD, Client
from tests.support.node_project import NODE, install

GRAPHQL = "application/graphql-response+json"


def checked(response: Any, status: int) -> dict[str, Any]:
    """The one error of a refused request, which must say what is wrong."""
    assert response.status_code == status, response.text
    assert "charset=utf-8" in response.headers["content-type"]
    (error,) = response.json()["errors"]
    assert len(error["message"]) > 15
    assert "data" not in response.json()
    return {"code": error["extensions"]["code"], **error}


@pytest.mark.parametrize(
    "body",
    [
        b'"x"',
        b"5",
        b"null",
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b"",
        b"   ",
        b"{",
        b"{} {}",
        b'{"query": NaN}',
        b"\xff\xfe{}",
        b'{"query": "\xc3\x28"}',
        b"[" * 100_000,
        b'{"query": ' + b"[" * 100_000,
        b'{"query": "{ __typename }", "variables": {"n": ' + b"1" * 5_000 + b"}}",
        b"{}",
        b'{"query": null}',
        b'{"query": ""}',
        b'{"query": "\\ud800"}',
        b'{"query": "{ __typename }", "operationName": "\\ud800"}',
        b'{"query": "{ __typename }", "variables": [1]}',
        b'{"query": "{ __typename }", "operationName": "Other"}',
        "\ufeff{}".encode(),
        '{"query": "{ __typename }"}'.encode("utf-16"),
    ],
    ids=lambda body: repr(body[:32]),
)
@pytest.mark.parametrize("accept", ["application/json", GRAPHQL])
async def test_a_body_that_is_no_request_is_refused_with_400(client: Client, body: bytes, accept: str) -> None:
    headers = {"content-type": "application/json", "accept": accept}
    response = await client.http.post("/graphql", content=body, headers=headers)
    assert checked(response, 400)["code"] == "BAD_USER_INPUT"
    assert response.headers["content-type"].startswith(accept)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/json; charset=iso-8859-1"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": ";;"},
        {"content-type": ""},
        {},
        {"content-type": "application/json", "content-encoding": "br"},
    ],
    ids=str,
)
async def test_a_body_of_another_kind_is_refused_with_415(client: Client, headers: dict[str, str]) -> None:
    checked(await client.http.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers), 415)


async def test_a_compressed_body_is_not_unpacked(client: Client) -> None:
    bomb = gzip.compress(b'{"query": "' + b" " * 50_000_000 + b'"}')
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    error = checked(await client.http.post("/graphql", content=bomb, headers=headers), 415)
    assert "Content-Encoding" in error["message"]


async def test_a_body_over_the_limit_is_refused_with_or_without_a_declared_length(client: Client) -> None:
    headers = {"content-type": "application/json"}
    body = b'{"query": "' + b" " * 8_388_608 + b'"}'
    assert "8,388,608" in checked(await client.http.post("/graphql", content=body, headers=headers), 413)["message"]

    async def chunks() -> Any:
        for start in range(0, len(body), 1_000_000):
            yield body[start : start + 1_000_000]

    response = await client.http.post("/graphql", content=chunks(), headers=headers)
    assert "8,388,608" in checked(response, 413)["message"]


async def test_a_body_in_chunks_is_accepted(client: Client) -> None:
    async def chunks() -> Any:
        yield b'{"query": "{ __ty'
        yield b'pename }"}'

    response = await client.http.post("/graphql", content=chunks(), headers={"content-type": "application/json"})
    assert response.json() == {"data": {"__typename": "Query"}}


def _raw(port: int | None, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


async def test_a_post_without_a_length_is_refused(client: Client) -> None:
    request = (
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        b'{"query": "{ __typename }"}'
    )
    answer = await anyio.to_thread.run_sync(_raw, client.http.base_url.port, request)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Content-Length" in answer


@pytest.mark.parametrize(
    "query", ["{" * 100_000, "{ a(b: " + "[" * 100_000, "query(" + "$a:[" * 50_000, "{ a " * 900, "{ a(b: " + "[" * 900]
)
async def test_an_operation_that_is_nested_too_deep_is_refused(client: Client, query: str) -> None:
    response = await client.http.post("/graphql", json={"query": query})
    assert checked(response, 200)["code"] in {"BAD_USER_INPUT", "TOO_COSTLY"}


async def test_other_methods_are_refused(client: Client) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
        response = await client.http.request(method, "/graphql", json={"query": "{ __typename }"})
        checked(response, 405)
        assert response.headers["allow"] == "GET, POST"


async def test_get_asks_and_never_changes(client: Client) -> None:
    asked = await client.http.get(
        "/graphql",
        params={"query": "query M($id: ID!) { memory(sessionId: $id) { uuid } }", "variables": '{"id": "nobody"}'},
    )
    assert asked.json() == {"data": {"memory": None}}
    mutation = "mutation { __typename }"
    for query in (mutation, "query A { __typename } mutation B { __typename }"):
        response = await client.http.get(
            "/graphql", params={"query": query, "operationName": "B"} if "A" in query else {"query": query}
        )
        checked(response, 405)
        assert response.headers["allow"] == "POST"
    for params in ({"query": "{ __typename }", "variables": "{"}, {"query": "{ __typename }", "variables": "[1]"}, {}):
        checked(await client.http.get("/graphql", params=params), 400)


async def test_the_status_of_an_error_depends_on_the_media_type_as_specified(client: Client) -> None:
    for query in ("{", "{ nothing }", "query Q($id: ID!) { memory(sessionId: $id) { uuid } }"):
        old = await client.http.post("/graphql", json={"query": query}, headers={"accept": "application/json"})
        assert checked(old, 200)["code"] == "BAD_USER_INPUT"
        new = await client.http.post("/graphql", json={"query": query}, headers={"accept": GRAPHQL})
        assert checked(new, 400)["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, application/json;q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0.1, application/json", "application/json"),
        (f"{GRAPHQL};q=0", "application/json"),
        (f"{GRAPHQL};q=high", "application/json"),
        ("image/png", "application/json"),
        ("Application/GraphQL-Response+JSON", GRAPHQL),
    ],
)
async def test_the_preferred_media_type_is_used(client: Client, accept: str, media_type: str) -> None:
    response = await client.http.post("/graphql", json={"query": "{ __typename }"}, headers={"accept": accept})
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert "Accept" in response.headers["vary"]


async def test_text_comes_back_as_it_was_sent(client: Client) -> None:
    texts = [
        'é\u0301 \u202e 🏳️‍🌈 \x00 \x7f \u2028 \ufeff \U0010ffff \r\n\t \\ " </script>',
        "\uffff\ufffe",
        "á" * 70_000,
    ]
    messages = [{"role": "human", "content": text, "metadata": {text[:50]: text}} for text in texts]
    messages[0]["metadata"] = {"number": 2**63 - 1, "float": 0.1}
    data = await client.data(ADD, input={"sessionId": "bytes", "messages": messages})
    stored = data["addMemory"]["memory"]["messages"]
    assert [message["content"] for message in stored] == texts
    assert [message["metadata"] for message in stored] == [message["metadata"] for message in messages]


async def test_a_lone_surrogate_and_a_number_that_would_change_are_named(client: Client) -> None:
    for content, metadata, expected in (
        ("a\ud800", None, "messages[0].content has a lone surrogate"),
        ("a", {"k": 2**64}, "18446744073709551616"),
        ("a", {"k": "\udfff"}, "lone surrogate"),
        ("a", {"\ud800": 1}, "lone surrogate"),
    ):
        message = {"role": "human", "content": content, "metadata": metadata}
        body = json.dumps({"query": ADD, "variables": {"input": {"sessionId": "s", "messages": [message]}}})
        response = await client.http.post("/graphql", content=body, headers={"content-type": "application/json"})
        (error,) = response.json()["errors"]
        assert expected in error["message"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_variable_that_is_quoted_in_an_error_may_be_any_text(client: Client) -> None:
    body = json.dumps({"query": "query Q($n: Int!) { __typename }", "variables": {"n": "\ud800"}})
    response = await client.http.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 200
    assert json.loads(response.content)["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_all_audits_of_the_graphql_http_package_are_ok(client: Client) -> None:
    await anyio.to_thread.run_sync(install)
    command = [
        "node",
        str(NODE / "graphql-http-audits.mjs"),
        f"{client.http.base_url}/graphql".replace("//graphql", "/graphql"),
    ]
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=60, check=False)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == {"audits": 61, "ok": 61}
