"""How live results travel: graphql-transport-ws in raw frames, server-sent events, multipart."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed

from graph.settings import Settings
from graph.store.database import Database
from tests.support.graphql_client import ADD, Client
from tests.support.live import add, url, watching
from tests.support.live_client import ADDED, UPDATED, socket_to
from tests.support.streams import EVENTS, MULTIPART, PING, streaming, until


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"keep_alive": 0.3})


async def test_server_sent_events_have_line_feeds_and_name_their_kind(client: Client) -> None:
    await add(client, "s", 2)
    async with streaming(client, EVENTS, id="s", after=1) as (response, chunks):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        text = await until(chunks, "\n\n")
        assert text == 'id: 2\nevent: next\ndata: {"data":{"messageAdded":{"seq":2,"content":"message 1"}}}\n\n'
        await add(client, "s")
        assert '"seq":3' in await until(chunks, "\n\n")
        assert PING in await until(chunks, PING)


async def test_a_query_over_server_sent_events_is_one_event(client: Client) -> None:
    async with streaming(client, EVENTS, "{ __typename }") as (_, chunks):
        text = await until(chunks, "complete")
        assert text.startswith('event: next\ndata: {"data":{"__typename":"Query"}}\n\nevent: complete\ndata: ')


async def test_what_is_refused_is_an_event_with_errors(client: Client) -> None:
    async with streaming(client, EVENTS, id="s", after=-1) as (response, chunks):
        assert response.status_code == 200
        text = await until(chunks, "complete")
        (only,) = json.loads(text.split("data: ")[1].split("\n")[0])["errors"]
        assert only["extensions"]["code"] == "BAD_USER_INPUT"


async def test_the_event_source_of_a_browser_follows_with_a_get(client: Client) -> None:
    await add(client, "s")
    parameters = {"query": ADDED, "variables": '{"id":"s","after":0}'}
    async with client.http.stream("GET", "/graphql", params=parameters, headers=EVENTS) as response:
        assert '"seq":1' in await until(response.aiter_text(), "\n\n")


async def test_a_stream_resumes_after_the_last_event_that_came(client: Client) -> None:
    await add(client, "s", 4)
    body = {"query": ADDED, "variables": {"id": "s", "after": 0}}
    headers = {**EVENTS, "last-event-id": "3"}
    async with client.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        text = await until(response.aiter_text(), "\n\n")
        assert text.startswith("id: 4\nevent: next\n")
        assert '"seq":4' in text


async def test_a_stream_of_changes_resumes_too(client: Client, app: Starlette, database: Database) -> None:
    await add(client, "s", 2)
    first, second = await database.messages.find({"sessionId": "s"}, sort=[("seq", 1)])

    async def edit(uuid: str, content: str) -> None:
        message = {"uuid": uuid, "role": "human", "content": content}
        await client.data(ADD, input={"sessionId": "s", "messages": [message]})

    async with streaming(client, EVENTS, UPDATED, id="s") as (_, chunks):
        await watching(app)
        await edit(first["_id"], "once")
        text = await until(chunks, "\n\n")
    mark = text.split("id: ", 1)[1].split("\n", 1)[0]
    await edit(second["_id"], "missed")
    async with streaming(client, {**EVENTS, "last-event-id": mark}, UPDATED, id="s") as (_, chunks):
        assert "missed" in await until(chunks, "missed")


@pytest.mark.parametrize("mark", ["x", "-1", "1e3", "9" * 30, "2026-01-01"])
async def test_a_wrong_last_event_id_is_refused(client: Client, mark: str) -> None:
    headers = {**EVENTS, "last-event-id": mark}
    async with streaming(client, headers, id="s") as (_, chunks):
        text = await until(chunks, "complete")
        assert "BAD_USER_INPUT" in text
        assert "Last-Event-ID" in text


async def test_a_type_that_is_named_later_in_accept_is_not_preferred(client: Client) -> None:
    accept = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"
    answer = await client.http.post("/graphql", json={"query": "{ __typename }"}, headers={"accept": accept})
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_multipart_is_what_apollo_reads(client: Client) -> None:
    await add(client, "s")
    async with streaming(client, MULTIPART, id="s", after=0) as (response, chunks):
        assert response.headers["content-type"].startswith("multipart/mixed;boundary=graphql;subscriptionSpec=1.0")
        text = await until(chunks, '"seq":1')
        (part,) = [part for part in text.split("--graphql") if '"seq":1' in part]
        assert json.loads(part.split("\r\n\r\n")[1]) == {
            "payload": {"data": {"messageAdded": {"seq": 1, "content": "message 0"}}}
        }
        assert "{}" in await until(chunks, "{}")  # the heartbeat


async def test_a_subscription_without_a_stream_is_told_how(client: Client) -> None:
    answer = await client.http.post("/graphql", json={"query": ADDED, "variables": {"id": "s"}})
    assert answer.status_code == 400
    assert "text/event-stream" in answer.json()["errors"][0]["message"]


async def test_a_client_that_goes_away_follows_no_more(client: Client, app: Starlette) -> None:
    hub = app.state.backend.hub
    for headers in (EVENTS, MULTIPART):
        async with streaming(client, headers, id="s"):
            await watching(app)
        async with asyncio.timeout(60):
            while hub.is_watching:  # noqa: ASYNC110 - the end of the watch is no event
                await asyncio.sleep(0.02)


async def test_a_ping_is_answered_with_its_payload(client: Client) -> None:
    async with socket_to(url(client), acknowledged=False) as socket:
        await socket.send(type="ping", payload={"a": 1})
        assert await socket.receive() == {"type": "pong", "payload": {"a": 1}}
        await socket.send(type="ping")
        assert await socket.receive() == {"type": "pong"}


async def test_the_server_pings(client: Client) -> None:
    async with socket_to(url(client)) as socket:
        assert json.loads(await asyncio.wait_for(socket.connection.recv(), 60)) == {"type": "ping"}
        await socket.send(type="pong")


async def test_queries_and_mutations_run_over_a_socket(client: Client) -> None:
    async with socket_to(url(client)) as socket:
        await socket.subscribe("{ __typename }", {})
        assert await socket.receive() == {"id": "1", "type": "next", "payload": {"data": {"__typename": "Query"}}}
        assert await socket.receive() == {"id": "1", "type": "complete"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { nothing }", "BAD_USER_INPUT"),
        ("subscription {", "BAD_USER_INPUT"),
        ("fragment F on Query { __typename }", "BAD_USER_INPUT"),
    ],
)
async def test_a_wrong_operation_is_an_error_and_no_end(client: Client, query: str, code: str) -> None:
    async with socket_to(url(client)) as socket:
        await socket.subscribe(query, {})
        message = await socket.receive()
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == code
        await socket.subscribe("{ __typename }", {}, "2")
        assert (await socket.receive())["id"] == "2"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 4400),
        ("[]", 4400),
        ("5", 4400),
        ("{}", 4400),
        ('{"type":5}', 4400),
        ('{"type":"what"}', 4400),
        ("[" * 100_000, 4400),
        ('{"type":"connection_init"}', 4429),
        ('{"type":"complete"}', 4400),
        ('{"type":"subscribe"}', 4400),
        ('{"type":"subscribe","id":"1"}', 4400),
        ('{"type":"subscribe","id":5,"payload":{"query":"{ __typename }"}}', 4400),
        ('{"type":"subscribe","id":"1","payload":{"query":5}}', 4400),
        ('{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","variables":5}}', 4400),
        (b"{}", 4400),
    ],
)
async def test_a_broken_frame_closes_the_connection_with_a_code(client: Client, frame: str | bytes, code: int) -> None:
    async with socket_to(url(client)) as socket:
        await socket.connection.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


async def test_one_who_is_not_acknowledged_may_not_subscribe(client: Client) -> None:
    async with socket_to(url(client), acknowledged=False) as socket:
        await socket.subscribe("{ __typename }", {})
        with pytest.raises(ConnectionClosed) as closed:
            await socket.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize("operation_id", ["1", "e7a3a3a4-6b1f-4a34-9d3b-53a0b7a9e0a1", "\U0001f389" * 64])
async def test_an_id_that_is_in_use_closes_the_connection(client: Client, app: Starlette, operation_id: str) -> None:
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": "s"}, operation_id)
        await watching(app)
        await socket.subscribe("{ __typename }", {}, operation_id)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4409
        assert "already exists" in closed.value.rcvd.reason
