"""The figures of all web processes over GraphQL: subscribers, and the slowest operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette

from graph.app import create_app
from graph.operations import processes
from graph.settings import Settings
from graph.store.database import Database
from graph.store.processes import VALIDITY, report
from tests.support.graphql_client import Client, serving
from tests.support.hanging import hanging_mongodb
from tests.support.live import add, url
from tests.support.live_client import ADDED, socket_to
from tests.support.untyped import untyped

SUBSCRIBERS = "{ deployment { subscribers webProcesses } }"
SLOWEST = """query Looked { deployment { slowestOperations {
  name kind count medianSeconds p99Seconds longestSeconds lastAt } } }"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process reports its figures when it is asked to, and each look is a new one."""
    monkeypatch.setattr(processes, "RENEWAL", -1.0)
    monkeypatch.setattr(processes, "_KEPT", -1.0)


@pytest.fixture
async def second(settings: Settings, mongodb_uri: str, database: Database) -> AsyncIterator[tuple[Client, Starlette]]:
    """Another server of the same database."""
    app = create_app(settings, mongodb_uri)
    async with serving(app) as client:
        yield client, app


async def reported(app: Starlette) -> None:
    await app.state.backend.processes.report()


async def slowest(client: Client) -> dict[tuple[str | None, str], dict[str, Any]]:
    found = (await client.data(SLOWEST))["deployment"]["slowestOperations"]
    return {(each["name"], each["kind"]): each for each in found}


async def test_the_subscribers_of_all_processes_are_counted(
    client: Client, app: Starlette, second: tuple[Client, Starlette]
) -> None:
    other, other_app = second
    await add(client, "s")
    async with socket_to(url(client)) as first, socket_to(url(other)) as of_other:
        await first.subscribe(ADDED, {"id": "s", "after": 0})
        for operation in ("a", "b"):
            await of_other.subscribe(ADDED, {"id": "s", "after": 0}, operation)
        async with asyncio.timeout(30):
            while other_app.state.backend.hub.followers < 2 or app.state.backend.hub.followers < 1:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.05)
        await reported(app)
        await reported(other_app)
        for asked in (client, other):
            assert (await asked.data(SUBSCRIBERS))["deployment"] == {"subscribers": 3, "webProcesses": 2}


async def test_a_process_that_ends_is_no_longer_counted(
    client: Client, settings: Settings, mongodb_uri: str, database: Database
) -> None:
    app = create_app(settings, mongodb_uri)
    async with serving(app):
        await reported(app)
        assert (await client.data(SUBSCRIBERS))["deployment"]["webProcesses"] == 2
    assert (await client.data(SUBSCRIBERS))["deployment"]["webProcesses"] == 1
    assert await untyped(database, "processes").find_one({"_id": app.state.backend.processes._id}) is None


async def test_a_process_that_was_killed_is_forgotten(client: Client, database: Database) -> None:
    await report(database, "killed", 3, [])  # no server stands behind: it would renew the figures at any time
    assert (await client.data(SUBSCRIBERS))["deployment"] == {"subscribers": 3, "webProcesses": 2}
    # MongoDB deletes the figures within a minute; until then, nobody reads them.
    expired = await untyped(database, "processes").update_one(
        {"_id": "killed"}, [{"$set": {"expiresAt": {"$subtract": ["$$NOW", 1]}}}]
    )
    assert expired.modified_count == 1
    assert (await client.data(SUBSCRIBERS))["deployment"] == {"subscribers": 0, "webProcesses": 1}
    index = (await untyped(database, "processes").index_information())["expiresAt_1"]
    assert (index["expireAfterSeconds"], VALIDITY.total_seconds()) == (0, 60)


async def test_the_slowest_operations_are_those_of_all_processes(
    client: Client, second: tuple[Client, Starlette]
) -> None:
    other, other_app = second
    for _ in range(3):
        await client.data("query Here { sessions(first: 1) { edges { cursor } } }")
        await other.data("query There { sessions(first: 1) { edges { cursor } } }")
    await client.data("query There { sessions(first: 1) { edges { cursor } } }")
    await reported(other_app)
    found = await slowest(client)
    here, there = found["Here", "query"], found["There", "query"]
    assert (here["count"], there["count"]) == (6, 8)  # both servers of this test observe all steps of one process
    for each in (here, there):
        assert 0 < each["medianSeconds"] <= each["p99Seconds"] <= each["longestSeconds"]
        assert each["lastAt"]


async def test_the_figures_of_a_process_hold_no_content(client: Client, app: Starlette, database: Database) -> None:
    query = (
        'query Mine($id: ID!) { session(sessionId: $id) { sessionId } memory(sessionId: "hidden-2") { tokenCount } }'
    )
    await client.data(query, id="hidden-1")
    await reported(app)
    (stored,) = await untyped(database, "processes").find({}).to_list(None)
    assert "Mine" in {row["name"] for row in stored["operations"]}
    assert "hidden" not in str(stored)


async def test_figures_that_do_not_change_cost_few_bytes_of_the_oplog(
    client: Client, app: Starlette, database: Database
) -> None:
    await client.data("query Some { sessions(first: 1) { edges { cursor } } }")
    await reported(app)
    await reported(app)
    oplog = database.client["local"]["oplog.rs"]
    entry = await oplog.find_one({"ns": f"{database.name}.processes", "op": "u"}, sort=[("$natural", -1)])
    assert entry is not None
    assert "Some" not in str(entry)


async def test_while_mongodb_is_silent_the_end_of_a_process_does_not_wait(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    with hanging_mongodb(mongodb_uri) as proxy:
        app = create_app(settings, proxy.uri)
        async with serving(app):
            await reported(app)
            proxy.hang()
            async with asyncio.timeout(8):
                await app.state.backend.processes.close()
            proxy.go_on()
