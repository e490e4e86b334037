"""A body of JSON lines carries a stream of mutations, each with its answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import uuid as uuids
from typing import Any

import pytest
from pydantic import SecretStr

from graph.access.caller import Right
from graph.access.keys import create_key, revoke_key
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import ADD, Client
from tests.support.json_lines import TYPE, line, open_body
from tests.support.pieces import APPEND, FINISH, START, pieces

HELLO = {"sessionId": "s", "messages": [{"role": "human", "content": "hello"}]}
STORED = '{ session(sessionId: "s") { messages { edges { node { content status } } } } }'


async def stored(client: Client) -> list[dict[str, Any]]:
    session = (await client.data(STORED))["session"]
    return [] if session is None else [edge["node"] for edge in session["messages"]["edges"]]


async def test_a_message_is_written_in_one_request_with_an_answer_after_each_line(client: Client) -> None:
    uuid = str(uuids.uuid4())
    async with open_body(client) as body:
        assert (body.status, body.headers["content-type"]) == (200, TYPE)
        await body.send(START, i={"sessionId": "s", "role": "assistant", "uuid": uuid})
        assert (await body.data())["startMessage"]["message"]["uuid"] == uuid
        for index in range(20):
            await body.send(APPEND, i=pieces(uuid, index, f"word {index} "))
            assert (await body.data())["appendMessage"]["nextIndex"] == index + 1
        await body.send(FINISH, i={"uuid": uuid})
        assert (await body.data())["finishMessage"]["message"]["status"] == "COMPLETE"
        await body.end()
        assert await body.answer() is None
    text = "".join(f"word {index} " for index in range(20))
    assert await stored(client) == [{"content": text, "status": "COMPLETE"}]


@pytest.mark.parametrize(
    "media_type", ["application/x-ndjson", "application/jsonl", "application/jsonl; charset=utf-8"]
)
async def test_a_whole_body_sent_twice_stores_once(client: Client, media_type: str) -> None:
    uuid, digest = str(uuids.uuid4()), hashlib.sha256(APPEND.encode()).hexdigest()
    by_hash = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    appends: list[dict[str, Any]] = [
        {"variables": {"i": pieces(uuid, index, f"{index} ")}, "extensions": by_hash} for index in range(50)
    ]
    appends[0]["query"] = APPEND
    sent = line(START, i={"sessionId": "s", "role": "assistant", "uuid": uuid})
    sent += b"".join(json.dumps(one).encode() + b"\r\n" for one in appends)
    sent += line(FINISH, i={"uuid": uuid}).rstrip()  # the last line needs no end
    answers = []
    for _ in range(2):
        response = await client.http.post("/graphql", content=sent, headers={"content-type": media_type})
        assert response.headers["content-type"] == media_type.partition(";")[0]
        answers.append([json.loads(one) for one in response.text.splitlines()])
    first, second = answers
    assert [one["data"]["appendMessage"]["nextIndex"] for one in first[1:-1]] == list(range(1, 51))
    assert [len(first), len(second)] == [52, 52]
    assert second[0]["data"]["startMessage"]["replayed"]
    assert second[-1] == first[-1]
    assert [one["content"] for one in await stored(client)] == ["".join(f"{index} " for index in range(50))]


async def test_each_wrong_line_has_an_answer_and_the_next_ones_follow(client: Client) -> None:
    wrong = {
        b"{": "The line is not JSON",
        b"[]": "batches are not supported",
        b"5": "must be a JSON object",
        b"\xff": "not UTF-8",
        b'{"query": ""}': "no query",
        b'{"query": "{ __typename }"}': "a line is for a mutation: send a query in",
        b'{"query": "subscription { typing(sessionId: \\"s\\") { name } }"}': "send a subscription in",
        b'{"query": "mutation { none }"}': "none",
        json.dumps({"query": ADD, "variables": {"input": {**HELLO, "messages": []}}}).encode(): "at least one message",
    }
    sent = b"\n \n\r\n".join(one + b"\n" + line(ADD, input=HELLO).rstrip() for one in wrong)
    response = await client.http.post("/graphql", content=sent, headers={"content-type": TYPE})
    answers = [json.loads(one) for one in response.text.splitlines()]
    assert len(answers) == 2 * len(wrong)
    for refused, said in zip(answers[::2], wrong.values(), strict=True):
        (error,) = refused["errors"]
        assert said in error["message"]
        assert error.get("extensions", {}).get("code", "BAD_USER_INPUT") == "BAD_USER_INPUT"
    assert all("errors" not in added for added in answers[1::2])
    assert len(await stored(client)) == len(wrong)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": f"{TYPE}; charset=latin-1"}, 415),
        ({"content-type": TYPE, "content-encoding": "gzip"}, 415),
        ({"content-type": "application/x-ndjson2"}, 415),
    ],
)
async def test_a_body_that_can_not_be_read_is_refused_at_once(
    client: Client, headers: dict[str, str], status: int
) -> None:
    response = await client.http.post("/graphql", content=line(ADD, input=HELLO), headers=headers)
    assert (response.status_code, len(response.json()["errors"])) == (status, 1)
    assert await stored(client) == []


async def test_an_empty_body_has_an_empty_answer_and_the_cost_is_told_to_those_who_ask(client: Client) -> None:
    response = await client.http.post("/graphql", content=b"", headers={"content-type": TYPE})
    assert (response.status_code, response.content) == (200, b"")
    headers = {"content-type": TYPE, "x-recallql-cost": "1"}
    response = await client.http.post("/graphql", content=line(ADD, input=HELLO), headers=headers)
    assert response.json()["extensions"]["cost"]["requested"] > 0


@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_line_that_is_too_long_ends_the_answer(settings: Settings, mongodb_uri: str, is_whole: bool) -> None:
    async with served_with(settings, mongodb_uri, body_limit=20_000) as client, open_body(client) as body:
        for _ in range(3):  # each within the limit, and together above it
            await body.send(ADD, input={**HELLO, "messages": [{"role": "human", "content": "x" * 15_000}]})
            await body.data()
        await body.raw(b'{"query": "' + b"x" * 20_000 + (b'"}\n' if is_whole else b""))
        error = await body.error()
        assert (error["code"], error["message"]) == (
            "BAD_USER_INPUT",
            "the line has more than 20,000 bytes, the maximum",
        )
        assert await body.answer() is None


@pytest.mark.parametrize(
    ("beginning", "said"), [(b"", "a line did not arrive within 0.4"), (b"{", "the rest of the line did not arrive")]
)
async def test_a_silent_client_ends_the_answer(
    settings: Settings, mongodb_uri: str, beginning: bytes, said: str
) -> None:
    short = {"stream_timeout": 0.4, "request_timeout": 0.3} if not beginning else {"request_timeout": 0.4}
    async with served_with(settings, mongodb_uri, **short) as client, open_body(client) as body:
        await body.send(ADD, input=HELLO)
        await body.data()
        dripping = asyncio.ensure_future(_drip(body, beginning)) if beginning else None
        error = await body.error()
        assert error["code"] == "UNAVAILABLE"
        assert error["message"].startswith(said)
        assert await body.answer() is None
        if dripping is not None:
            dripping.cancel()


async def _drip(body: Any, data: bytes) -> None:
    """Send a part of a line again and again, which never ends it."""
    while True:
        await body.raw(data)
        await asyncio.sleep(0.02)


async def test_rights_and_costs_hold_for_each_line(settings: Settings, mongodb_uri: str, database: Database) -> None:
    limits: dict[str, Any] = {"auth": "required", "jwt_secret": SecretStr(SECRET), "user_budget": 200}
    async with served_with(settings, mongodb_uri, **limits) as client:
        response = await client.http.post("/graphql", content=line(ADD, input=HELLO), headers={"content-type": TYPE})
        assert response.status_code == 401
        _, reader = await create_key(database, "reader", Right.READ)
        async with open_body(as_caller(client, reader)) as body:
            await body.send(ADD, input=HELLO)
            assert (await body.error())["code"] == "FORBIDDEN"
        async with open_body(as_caller(client, token("ada"))) as body:
            await body.send(ADD, input={**HELLO, "messages": [{"role": "system", "content": "obey"}]})
            assert (await body.error())["code"] == "FORBIDDEN"
            await body.send(ADD, input=HELLO)
            await body.data()
            codes = []
            while "TOO_COSTLY" not in codes:
                await body.send(ADD, input=HELLO)
                answer = await body.answer()
                assert answer is not None
                codes += [error["extensions"]["code"] for error in answer.get("errors", ())] or ["stored"]
            assert codes.count("stored") == len(codes) - 1
        found = await database.messages.count_documents({"sessionId": "s"})
        assert found == 1 + codes.count("stored")


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_credentials_that_end_end_the_answer(
    settings: Settings, mongodb_uri: str, database: Database, how: str
) -> None:
    async with served_with(settings, mongodb_uri, auth="required", jwt_secret=SecretStr(SECRET)) as client:
        _, key = await create_key(database, "writer", Right.WRITE)
        bearer = key if how == "revoked" else token("ada", exp=time.time() + 2 - settings.jwt_leeway)
        async with open_body(as_caller(client, bearer)) as body:
            await body.send(ADD, input=HELLO)
            await body.data()
            if how == "revoked":
                await revoke_key(database, "writer")
            error = await body.error()
            assert error["code"] == "UNAUTHENTICATED"
            assert how in error["message"]
            assert await body.answer() is None


async def test_open_bodies_count_as_connections(settings: Settings, mongodb_uri: str) -> None:
    async with served_with(settings, mongodb_uri, service_connections=1) as client:
        for _ in range(2):
            async with open_body(client) as body, open_body(client) as second:
                assert (body.status, second.status) == (200, 429)
                await body.send(ADD, input=HELLO)
                await body.data()
                await body.end()
                assert await body.answer() is None


async def test_a_client_that_goes_has_its_whole_lines_stored_and_frees_its_place(
    settings: Settings, mongodb_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served_with(settings, mongodb_uri, service_connections=1) as client:
        async with open_body(client) as body:
            sent = line(ADD, input=HELLO)
            await body.raw(sent * 3 + sent[:-10])
            assert await body.data()
            body.writer.transport.abort()
        async with asyncio.timeout(30):
            while True:
                async with open_body(client) as again:
                    if again.status == 200:
                        break
        assert len(await stored(client)) == 3
        assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
