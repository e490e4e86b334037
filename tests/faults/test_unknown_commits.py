"""A commit whose answer is lost, and what fails after a commit: no sender is led to add the same twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette

from graph.app import create_app
from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import changed
from tests.support.graphql_client import ADD, OCTAVIA, PLAIN, Client, serving
from tests.support.proxy import Proxy, proxy
from tests.support.server_process import START_SECONDS, ServerProcess
from tests.support.untyped import untyped

pytestmark = pytest.mark.slow

DEADLINE = 6.0
UNKNOWN = {"code": "UNAVAILABLE", "outcome": "UNKNOWN"}
BRIEF = """
mutation Add($input: AddMemoryInput!) {
  addMemory(input: $input) { replayed memory { uuid tokenCount } session { sessionId uuid messageCount metadata } }
}
"""


def is_commit(request: bytes) -> bool:
    return b"commitTransaction" in request


def said(**more: Any) -> dict[str, Any]:
    return {"sessionId": "s", "messages": OCTAVIA, **more}


@pytest.fixture
async def between(mongodb_uri: str, database: Database) -> AsyncIterator[Proxy]:
    """The proxy; `database` goes past it."""
    del database
    async with proxy(mongodb_uri) as made:
        yield made


@pytest.fixture
def app(settings: Settings, between: Proxy) -> Starlette:
    return create_app(changed(settings, write_deadline=DEADLINE, await_entities_timeout=1.0), between.uri)


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[Client]:
    async with serving(app) as opened:
        yield opened


async def counts(database: Database) -> tuple[int, int]:
    return await database.memories.count_documents({}), await database.messages.count_documents({})


async def test_an_add_without_a_key_whose_commit_is_never_answered_is_found(
    client: Client, between: Proxy, database: Database
) -> None:
    between.loses = is_commit
    for number in (1, 2):
        added = (await client.data(BRIEF, input=said(metadata={"n": number})))["addMemory"]
        assert added["replayed"] is False
        assert (added["session"]["messageCount"], added["session"]["metadata"]) == (3 * number, {"n": number})
        assert await database.memories.find_one({"_id": added["memory"]["uuid"]}) is not None
        assert await counts(database) == (number, 3 * number)
    assert between.lost >= 2


async def test_one_lost_answer_is_asked_for_again(client: Client, between: Proxy, database: Database) -> None:
    between.loses = lambda request: is_commit(request) and between.lost == 0
    assert (await client.data(BRIEF, input=said()))["addMemory"]["replayed"] is False
    assert between.lost == 1
    assert await counts(database) == (1, 3)


async def test_a_commit_that_never_arrives_is_sent_again(client: Client, between: Proxy, database: Database) -> None:
    cut = []

    def first_commit(request: bytes) -> bool:
        if is_commit(request):
            cut.append(request)
        return is_commit(request) and len(cut) == 1

    between.cuts = first_commit
    assert (await client.data(BRIEF, input=said()))["addMemory"]["replayed"] is False
    assert len(cut) == 2
    assert await counts(database) == (1, 3)


@pytest.mark.parametrize("key", [{}, {"idempotencyKey": "k"}], ids=["without a key", "with a key"])
async def test_an_unknown_outcome_is_said_within_the_deadline(
    client: Client, between: Proxy, database: Database, key: dict[str, Any]
) -> None:
    await client.data(BRIEF, input=said(sessionId="other"))
    between.goes_dark = is_commit
    began = time.monotonic()
    error = await client.error(BRIEF, input=said(**key))
    assert time.monotonic() - began < 1.8 * DEADLINE  # it was 2 and more
    assert error["extensions"] == UNKNOWN
    assert "whether the write is stored" in error["message"]
    assert "look before you send it again" in error["message"]
    assert "idempotencyKey" in error["message"]
    assert await counts(database) == (2, 6)  # only the answer was lost
    between.heal()
    if key:
        assert (await client.data(BRIEF, input=said(**key)))["addMemory"]["replayed"] is True
        assert await counts(database) == (2, 6)


async def answered(http: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    """The data of an operation, sent again while MongoDB's driver finds its server again."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            answer = (await http.post("/graphql", json=body)).json()
            if "errors" not in answer:
                data: dict[str, Any] = answer["data"]
                return data
            assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_a_server_says_an_unknown_outcome_in_time_and_uuids_make_the_retry_safe(
    tmp_path: Path, between: Proxy, database: Database
) -> None:
    sent = said(messages=[{**message, "uuid": str(uuid4())} for message in OCTAVIA])
    body = {"query": BRIEF, "variables": {"input": sent}}
    settings = {"RECALLQL_MONGODB_URI": between.uri, "RECALLQL_DATABASE": database.name}
    settings |= {"RECALLQL_WRITE_DEADLINE": str(DEADLINE), "RECALLQL_ENRICHMENT_PROCESSES": "0"}
    server = await asyncio.to_thread(ServerProcess, tmp_path / "data", **settings)
    try:
        async with httpx.AsyncClient(base_url=server.url, timeout=10 * DEADLINE, verify=PLAIN) as http:
            between.goes_dark = is_commit
            began = time.monotonic()
            (error,) = (await http.post("/graphql", json=body)).json()["errors"]
            assert time.monotonic() - began < 1.8 * DEADLINE
            assert error["extensions"] == UNKNOWN
            assert await counts(database) == (1, 3)
            between.heal()
            assert (await answered(http, body))["addMemory"]["replayed"] is True
            assert await counts(database) == (1, 3)
    finally:
        between.heal()
        await asyncio.to_thread(server.stop)
    assert "Traceback" not in server.stderr()


async def test_an_unknown_outcome_of_another_change_is_said(client: Client, between: Proxy, database: Database) -> None:
    await client.data(BRIEF, input=said())
    between.goes_dark = is_commit
    error = await client.error(
        'mutation { updateSession(input: { sessionId: "s", metadata: { a: 1 } }) { session { uuid } } }'
    )
    assert error["extensions"] == UNKNOWN
    assert (await untyped(database, "sessions").find_one({"_id": "s"}))["metadata"] == {"a": 1}


async def test_what_was_not_to_be_committed_yet_is_known_not_to_be_stored(
    client: Client, between: Proxy, database: Database
) -> None:
    between.goes_dark = lambda request: b"insert" in request and b"memories" in request
    began = time.monotonic()
    error = await client.error(BRIEF, input=said())
    assert time.monotonic() - began < 1.8 * DEADLINE
    assert error["extensions"] == {"code": "UNAVAILABLE"}
    assert await counts(database) == (0, 0)


async def test_the_deadline_holds_in_the_queue_of_a_session_too(
    app: Starlette, client: Client, database: Database
) -> None:
    lock = app.state.backend.database.write_lock("s")
    async with lock:
        began = time.monotonic()
        error = await client.error(BRIEF, input=said())
    assert time.monotonic() - began < 1.8 * DEADLINE
    assert error["extensions"] == {"code": "UNAVAILABLE"}
    assert "nothing of it is stored" in error["message"]
    assert await counts(database) == (0, 0)
    assert (await client.data(BRIEF, input=said()))["addMemory"]["session"]["messageCount"] == 3


@pytest.mark.parametrize("fault", ["loses", "cuts"])
async def test_a_wait_for_entities_that_fails_returns_what_is_stored(
    client: Client, between: Proxy, database: Database, fault: str
) -> None:
    setattr(between, fault, lambda request: b"aggregate" in request and b"enrichment.state" in request)
    added = (await client.data(BRIEF, input=said(awaitEntities=True)))["addMemory"]
    assert added["session"]["messageCount"] == 3
    assert await counts(database) == (1, 3)


async def test_no_look_up_of_the_session_can_fail_the_write(client: Client, between: Proxy, database: Database) -> None:
    committed = []

    def after(request: bytes) -> bool:
        committed.extend([request] if is_commit(request) else [])
        return bool(committed) and b"find" in request and b"sessions" in request

    between.cuts = after
    added = (await client.data(BRIEF, input=said(metadata={"a": 1}, userId="ann", idempotencyKey="k")))["addMemory"]
    assert (added["session"]["messageCount"], added["session"]["metadata"]) == (3, {"a": 1})
    assert committed
    assert await counts(database) == (1, 3)


async def test_what_can_not_be_read_after_the_commit_is_told_from_what_is_not_stored(
    client: Client, between: Proxy, database: Database
) -> None:
    between.cuts = lambda request: b"find" in request and b"firstSeq" not in request and b"messages" in request
    error = await client.error(ADD, input=said())
    assert error["path"] == ["addMemory", "memory", "messages"]
    assert error["extensions"] == {"code": "UNAVAILABLE", "outcome": "STORED"}
    assert await counts(database) == (1, 3)


async def test_a_change_over_zep_is_answered_where_its_number_can_t_be_read(
    client: Client, between: Proxy, database: Database
) -> None:
    between.cuts = lambda request: b"number" in request
    for path, body in (("sessions", {"session_id": "s"}), ("user", {"user_id": "ada"})):
        made = await client.http.post(f"/api/v1/{path}", json=body)
        assert (made.status_code, made.json()["id"]) == (201, None)
        (name,) = body.values()
        updated = await client.http.patch(f"/api/v1/{path}/{name}", json={**body, "metadata": {"a": 1}})
        assert (updated.status_code, updated.json()["metadata"]) == (200, {"a": 1})
    assert (await client.http.get("/api/v1/sessions/s")).status_code == 503
    assert await database.sessions.count_documents({"metadata.a": 1}) == 1
