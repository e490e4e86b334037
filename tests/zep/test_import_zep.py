"""`recallql import-zep`, from this service's own Zep routes, which speak the same protocol."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from graph.app import create_app
from graph.enrichment.tokens import load_counter
from graph.errors import TransferError
from graph.operations.backend import Backend
from graph.settings import Settings
from graph.store.database import Database, open_database
from graph.zep.importer import Importer, Report
from tests.support.graphql_client import ADD, OCTAVIA, Client, serving
from tests.support.server_process import clean_environment

# An import can't take along when and how often a thing changed, what came with it in one call, and what is made of it.
OWN = dict.fromkeys(
    [
        "updatedAt",
        "editedAt",
        "revision",
        "sessionRevision",
        "number",
        "memoryId",
        "enrichment",
        "entities",
        "sessionsGiven",
        "dueAt",
    ],
    0,
)

ODD_ID = "a/b c?d#e%2F:ü+x"
PAGE = 10
LONG = 23


@pytest.fixture
async def source(client: Client) -> Client:
    """A server with what may be found on one."""
    await client.http.post(
        "/api/v1/user",
        json={"user_id": "ada", "email": "a@b.c", "first_name": "Ada", "last_name": "B", "metadata": {"x": 1}},
    )
    for number in range(PAGE + 5):
        await client.http.post("/api/v1/sessions", json={"session_id": f"empty-{number}", "metadata": {"n": number}})
    await client.data(ADD, input={"sessionId": "octavia", "userId": "ada", "messages": OCTAVIA})
    await client.data(ADD, input={"sessionId": ODD_ID, "messages": [{"role": "", "content": ""} | OCTAVIA[0]]})
    said = [{"role": "human", "content": f"line {number}", "metadata": {"n": number}} for number in range(LONG)]
    await client.data(ADD, input={"sessionId": "long", "messages": said})
    return client


@pytest.fixture
async def target(mongodb_uri: str, settings: Settings) -> AsyncIterator[Client]:
    """Another server with nothing in it."""
    other = settings.model_copy(update={"database": f"test_{uuid.uuid4().hex}"})
    app = create_app(other, mongodb_uri)
    async with serving(app) as client:
        client.app = app  # type: ignore[attr-defined]
        yield client
        await app.state.backend.database.client.drop_database(other.database)


def backend_of(target: Client) -> Backend:
    app: Starlette = target.app  # type: ignore[attr-defined]
    backend: Backend = app.state.backend
    return backend


async def kept(database: Database) -> list[Any]:
    collections = (database.users, database.sessions, database.messages)
    return [await each.find({}, OWN, sort=[("_id", 1)]) for each in collections]


async def run(source: Client, target: Client, stop_after: int | None = None) -> Report:
    class Break(BaseException):
        pass

    def progress(report: Report) -> None:
        if stop_after is not None and report.messages >= stop_after:
            raise Break

    async with httpx.AsyncClient(base_url=f"{source.http.base_url}/api/v1/", timeout=60) as http:
        done = Importer(backend_of(target), http, progress, page=PAGE)
        try:
            return await done.run()
        except Break:
            return done.report


async def test_everything_arrives_with_its_uuids_and_times(source: Client, target: Client, database: Database) -> None:
    report = await run(source, target)
    assert (report.users, report.sessions, report.messages) == (1, PAGE + 8, LONG + 4)
    assert report.refused == []
    there = await kept(database)
    assert await kept(backend_of(target).database) == there
    assert [len(documents) for documents in there] == [1, PAGE + 8, LONG + 4]


async def test_an_import_that_broke_off_is_continued_by_the_next(
    source: Client, target: Client, database: Database
) -> None:
    await run(source, target, stop_after=4)
    await run(source, target, stop_after=14)
    assert await kept(backend_of(target).database) != await kept(database)
    await run(source, target)
    whole = await kept(backend_of(target).database)
    assert whole == await kept(database)
    await run(source, target)
    assert await kept(backend_of(target).database) == whole


async def test_what_changed_at_the_source_is_updated(source: Client, target: Client, database: Database) -> None:
    await run(source, target)
    await source.http.patch("/api/v1/sessions/octavia", json={"metadata": {"new": True}})
    await source.http.patch("/api/v1/user/ada", json={"last_name": "Lovelace"})
    message = (await source.http.get("/api/v1/sessions/octavia/messages")).json()["messages"][0]
    await source.http.patch(f"/api/v1/sessions/octavia/messages/{message['uuid']}", json={"metadata": {"k": 1}})
    await source.http.post("/api/v1/sessions/octavia/memory", json={"messages": [{"role": "ai", "content": "Kindred"}]})
    await run(source, target)
    assert await kept(backend_of(target).database) == await kept(database)


async def test_what_can_not_be_taken_over_is_named_and_the_rest_goes_on(
    source: Client, target: Client, database: Database
) -> None:
    taken = (await source.http.get("/api/v1/sessions/octavia/messages")).json()["messages"][1]["uuid"]
    await target.data(ADD, input={"sessionId": "other", "messages": [{"uuid": taken, "role": "ai", "content": "x"}]})
    report = await run(source, target)
    assert report.refused == [
        f"session 'octavia', message {taken}: message uuid {taken} is already in use: leave uuid out, or send a new one"
    ]
    messages = (await target.http.get("/api/v1/sessions/octavia/messages")).json()["messages"]
    assert [message["content"] for message in messages] == [OCTAVIA[0]["content"], OCTAVIA[2]["content"]]


async def test_a_server_that_is_none_is_said_to_be(client: Client, database: Database, settings: Settings) -> None:
    backend = Backend(settings, database, load_counter())
    async with httpx.AsyncClient(base_url=f"{client.http.base_url}/graphql/", timeout=60) as http:
        with pytest.raises(TransferError, match="answered 4"):
            await Importer(backend, http, lambda _: None).run()


@pytest.mark.parametrize("proxy", [{}, {"ALL_PROXY": "socks5h://127.0.0.1:9"}, {"HTTP_PROXY": "http://127.0.0.1:9"}])
async def test_the_command_imports_and_says_what(source: Client, mongodb_uri: str, proxy: dict[str, str]) -> None:
    name = f"test_{uuid.uuid4().hex}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "graph", "import-zep", str(source.http.base_url)),
        env={**clean_environment(), "RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": name, **proxy},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    database = await open_database(mongodb_uri, name=name)
    try:
        assert process.returncode == 0, errors.decode()
        expected = f"Imported 1 users, {PAGE + 8} sessions, {LONG + 4} messages\n"
        assert output.decode() == expected
        assert await database.messages.count_documents({}) == LONG + 4
    finally:
        await database.client.drop_database(name)
        await database.close()


async def test_a_command_that_was_stopped_is_continued_by_the_next(
    source: Client, database: Database, mongodb_uri: str
) -> None:
    name = f"test_{uuid.uuid4().hex}"
    target = await open_database(mongodb_uri, name=name)
    command = (sys.executable, "-m", "graph", "import-zep", str(source.http.base_url))
    environment = {**clean_environment(), "RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": name}
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
        while process.returncode is None and not await target.sessions.count_documents({}):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.001)
        process.terminate()
        _, errors = await process.communicate()
        assert process.returncode == 130, "it was stopped on its way"
        assert errors.decode().splitlines()[-1] == "Stopped: run it again to continue"
        process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
        await process.communicate()
        assert process.returncode == 0
        assert await kept(target) == await kept(database)
    finally:
        await target.client.drop_database(name)
        await target.close()


async def test_the_command_says_in_one_line_that_nobody_answers(mongodb_uri: str) -> None:
    name = f"test_{uuid.uuid4().hex}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "graph", "import-zep", "http://127.0.0.1:9"),
        env={**clean_environment(), "RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": name},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    database = await open_database(mongodb_uri, name=name)
    await database.client.drop_database(name)
    await database.close()
    assert process.returncode == 1
    assert errors.decode().splitlines()[-1].startswith("recallql: http://127.0.0.1:9/api/v1/user can't be reached")
