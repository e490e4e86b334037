"""Which text an operation has: its own, a trusted document's, or one that was sent before; on every transport."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from graph.errors import PersistedQueryNotFound
from graph.request.persisted import OperationTexts
from graph.request.trusted import TrustedDocuments
from graph.settings import Settings, load_settings
from graph.store.database import Database
from tests.support.access import served_with
from tests.support.graphql_client import ADD, Client
from tests.support.live_client import socket_to
from tests.support.node_project import install, run_script

ASK = "{ __typename }"
DATA = {"data": {"__typename": "Query"}}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def persisted(text: str, **more: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)}}, **more}


TRUSTED_ID = "sha256:known"
REQUESTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "a text": ({"query": ASK}, None),
    "a text beside nulls": ({"query": ASK, "documentId": None, "extensions": None, "variables": None}, None),
    "a document": ({"documentId": TRUSTED_ID}, None),
    "a document beside null": ({"documentId": TRUSTED_ID, "query": None}, None),
    "a document beside an empty text": ({"documentId": TRUSTED_ID, "query": ""}, None),
    "a text and a document": ({"query": ASK, "documentId": TRUSTED_ID}, "BAD_USER_INPUT"),
    "an unknown document": ({"documentId": "sha256:other"}, "BAD_USER_INPUT"),
    "an empty document": ({"documentId": ""}, "BAD_USER_INPUT"),
    "nothing": ({}, "BAD_USER_INPUT"),
    "nulls": ({"query": None, "documentId": None}, "BAD_USER_INPUT"),
    "an empty text": ({"query": ""}, "BAD_USER_INPUT"),
    "spaces": ({"query": " \n"}, "BAD_USER_INPUT"),
    "an unknown hash": (persisted("{ a }"), "PERSISTED_QUERY_NOT_FOUND"),
    "an unknown hash beside an empty text": (persisted("{ a }", query=""), "PERSISTED_QUERY_NOT_FOUND"),
    "a hash of something else": (persisted("{ a }", query=ASK), "BAD_USER_INPUT"),
    "a text and its hash": (persisted(ASK, query=ASK), None),
    "another version": (
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": sha256(ASK)}}},
        "BAD_USER_INPUT",
    ),
    "no hash": ({"extensions": {"persistedQuery": {"version": 1}}}, "BAD_USER_INPUT"),
    "a hash that is none": (
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x" * 64}}},
        "BAD_USER_INPUT",
    ),
    "a hash that is a list": ({"extensions": {"persistedQuery": ["x"]}}, "BAD_USER_INPUT"),
    "no persisted query": ({"query": ASK, "extensions": {"persistedQuery": None, "other": 1}}, None),
}


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    manifest = tmp_path / "persisted-documents.json"
    manifest.write_text(json.dumps({TRUSTED_ID: ASK}))
    return settings.model_copy(update={"trusted_documents": manifest})


async def over_http(client: Client, request: dict[str, Any]) -> Any:
    return (await client.http.post("/graphql", json=request)).json()


async def over_a_socket(client: Client, request: dict[str, Any]) -> Any:
    async with socket_to(str(client.http.base_url).rstrip("/")) as socket:
        await socket.send(id="1", type="subscribe", payload=request)
        message = await socket.receive()
        if message["type"] == "error":
            await socket.subscribe(ASK, {}, "2")  # the connection goes on
            assert await socket.data() == DATA["data"]
            return {"errors": message["payload"]}
        assert await socket.receive() == {"id": "1", "type": "complete"}
        return message["payload"]


@pytest.mark.parametrize("send", [over_http, over_a_socket])
@pytest.mark.parametrize("name", REQUESTS)
async def test_one_rule_says_which_text_an_operation_has(client: Client, name: str, send: Any) -> None:
    request, code = REQUESTS[name]
    answer = await send(client, request)
    if code is None:
        assert answer == DATA
    else:
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


async def test_both_transports_say_the_same(client: Client) -> None:
    for request, code in REQUESTS.values():
        if code is not None:
            (http,) = (await over_http(client, request))["errors"]
            (socket,) = (await over_a_socket(client, request))["errors"]
            assert http == socket


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_a_text_that_was_sent_once_is_named_by_its_hash(client: Client, accept: str) -> None:
    client.http.headers["accept"] = accept
    for text in (ASK, f"{ASK} # É"):
        first = await client.http.post("/graphql", json=persisted(text))
        assert first.json() == {
            "errors": [{"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}]
        }
        assert first.status_code == (200 if accept == "application/json" else 400)
        assert (await client.http.post("/graphql", json=persisted(text, query=text))).status_code == 200
    assert (await client.http.post("/graphql", json=persisted(ASK))).json() == DATA
    parameters = {"extensions": json.dumps(persisted(ASK)["extensions"])}
    assert (await client.http.get("/graphql", params=parameters)).json() == DATA
    upper = {"version": 1, "sha256Hash": sha256(ASK).upper()}
    assert (await over_http(client, {"extensions": {"persistedQuery": upper}})) == DATA
    assert await over_a_socket(client, persisted(ASK)) == DATA


@asynccontextmanager
async def not_supporting(settings: Settings, uri: str, *, only: bool) -> AsyncIterator[Client]:
    changes: dict[str, Any] = {"trusted_documents_only": True} if only else {"persisted_queries": 0}
    async with served_with(settings, uri, **changes) as client:
        yield client


@pytest.mark.parametrize("only", [False, True])
async def test_where_hashes_are_not_accepted_clients_are_told_so(
    settings: Settings, mongodb_uri: str, database: Database, only: bool
) -> None:
    del database
    expected = {
        "errors": [{"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}]
    }
    async with not_supporting(settings, mongodb_uri, only=only) as client:
        assert await over_http(client, persisted(ASK, query=ASK)) == DATA  # a trusted one, or any
        for send in (over_http, over_a_socket):
            assert await send(client, persisted(ASK)) == expected
            answer = await send(client, persisted("{ a: __typename }", query="{ a: __typename }"))
            assert ("errors" in answer) is only


def test_the_texts_are_bounded_in_bytes() -> None:
    settings = load_settings(persisted_queries=10_000, max_text=5_000)
    texts = OperationTexts(settings, TrustedDocuments(settings))
    sent = [f"{{ a{number:04} {'é' * 1_000} }}" for number in range(100)]
    for text in sent:
        texts.text_of(persisted(text, query=text))
    assert texts.text_of(persisted(sent[-1])) == sent[-1]
    kept = 0
    for text in sent:
        try:
            kept += len(texts.text_of(persisted(text)).encode("latin-1"))
        except PersistedQueryNotFound:
            continue
    assert 3_000 < kept < 10_000
    long = "{ a }" + " " * 5_000
    assert texts.text_of(persisted(long, query=long)) == long  # to be refused for its length, and not kept
    with pytest.raises(PersistedQueryNotFound):
        texts.text_of(persisted(long))


@pytest.mark.timeout(600)  # the first one installs the project
@pytest.mark.parametrize("mode", ["kept", "not supported", "trusted only"])
@pytest.mark.parametrize("name", ["apollo", "apollo-get", "urql", "urql-post"])
async def test_a_real_client_with_persisted_queries_works(
    settings: Settings, mongodb_uri: str, database: Database, name: str, mode: str
) -> None:
    del database
    install()
    changes: dict[str, Any] = {}
    if mode == "not supported":
        changes = {"persisted_queries": 0}
    elif mode == "trusted only":
        query = await run_script("persisted.mjs", "http://localhost", name, "print")
        assert settings.trusted_documents is not None
        settings.trusted_documents.write_text(json.dumps({sha256(query): query}))
        changes = {"trusted_documents_only": True}
    async with served_with(settings, mongodb_uri, **changes) as client:
        if mode != "trusted only":
            await client.data(ADD, input={"sessionId": "s", "messages": [{"role": "human", "content": "hello"}]})
        ran = await run_script("persisted.mjs", f"{str(client.http.base_url).rstrip('/')}/graphql", name, "run")
    count = None if mode == "trusted only" else 1
    assert ran["counts"] == [count] * 2
    sent = ran["sent"]
    assert sent[0] == "hash"
    if mode == "kept":
        assert sent == ["hash", "hash and text", "hash"]
    else:
        assert sent == ["hash", "text", "text"]
