"""The log of a server: a line for each request and job, with the id of the request, and no content."""

from __future__ import annotations

import io
import json
import logging
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from graph.settings import Settings
from graph.store.database import Database
from graph.telemetry.logs import JSONLines, Lines
from graph.telemetry.steps import Kind, Step, observed_by, step
from tests.support.access import SECRET, served_with, token
from tests.support.graphql_client import Client, serving
from tests.support.live_client import socket_to
from tests.support.server_process import ServerProcess, served, until

ADD = """
mutation Add($content: String!) {
  addMemory(input: {sessionId: "hidden-session", messages: [{role: "human", content: $content}]}) { replayed }
}
"""
FEW = 'query Few { memory(sessionId: "hidden-session") { messages(last: 5) { content } } }'
CONTENT = "Ada Lovelace has a hidden content."


@pytest.fixture
def seen() -> Iterator[list[Step]]:
    """The requests, jobs and commands that end."""
    steps: list[Step] = []

    class Seen:
        kinds = frozenset({Kind.REQUEST, Kind.JOB, Kind.COMMAND})

        def began(self, step: Step) -> None:
            pass

        def ended(self, step: Step) -> None:
            steps.append(step)

    with observed_by(Seen()):
        yield steps


def logged(server: ServerProcess) -> list[dict[str, Any]]:
    """The lines of the log, each of which is a JSON object."""
    return [json.loads(line) for line in server.stderr().splitlines()]


@pytest.mark.timeout(300)
def test_a_server_logs_each_request_and_job_as_json_without_any_content(tmp_path: Path) -> None:
    flags = ["--log-format", "json", "--slow-operation", "0.000001"]
    with served(tmp_path / "data", *flags) as server:
        body = {"query": ADD, "variables": {"content": CONTENT}}
        response = httpx.post(f"{server.url}/graphql", json=body, headers={"x-request-id": "mine-1"}, timeout=60)
        assert response.headers["x-request-id"] == "mine-1"
        server.graphql(FEW)
        until(lambda: '"job":"entities"' in server.stderr(), 120)
        server.stop()
        lines = logged(server)
        text = server.stderr()
    assert not re.search("hidden", text)
    (line,) = [line for line in lines if line.get("requestId") == "mine-1" and "cost" in line]
    assert {key: line[key] for key in ("level", "protocol", "kind", "operation", "caller", "outcome")} == {
        "level": "info",
        "protocol": "graphql",
        "kind": "mutation",
        "operation": "Add",
        "caller": "anyone",
        "outcome": "OK",
    }
    assert line["ms"] > 0
    assert line["cost"] > 10
    (slow,) = [line for line in lines if line.get("requestId") == "mine-1" and "commands" in line]
    names = [(command["name"], command["collection"]) for command in slow["commands"]]
    assert ("insert", "messages") in names
    assert all(command["ms"] >= 0 for command in slow["commands"])
    (job,) = [line for line in lines if line.get("job") == "entities" and "commands" not in line]
    assert (job["outcome"], job["items"], job["failed"]) == ("OK", 1, 0)
    assert job["ms"] > 0
    assert [line for line in lines if "Few" in line.get("message", "") and "commands" not in line]


def test_a_log_of_text_has_one_line_for_a_request(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--enrichment-processes", "0") as server:
        for request_id, query in [("mine", FEW), ("anonymous", "{ __typename }")]:
            sent = {"x-request-id": request_id}
            httpx.post(f"{server.url}/graphql", json={"query": query}, headers=sent, timeout=60)
        until(lambda: "[anonymous]" in server.stderr())
        lines = [line for line in server.stderr().splitlines() if " graphql " in line]
    end = r": OK, [\d.]+ ms, caller anyone, cost \d+$"
    assert re.search(rf" INFO recallql: \[mine\] graphql query Few{end}", lines[0])
    assert re.search(rf" INFO recallql: \[anonymous\] graphql query{end}", lines[1])


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", 'a"b', "é", "<script>", "a,b"])
async def test_an_id_that_is_not_sane_is_replaced(client: Client, sent: str) -> None:
    headers = {b"x-request-id": sent.encode()}
    response = await client.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


async def test_every_answer_has_the_id(client: Client) -> None:
    for path in ("/health", "/ready", "/nothing", "/api/v1/sessions/none", "/graphql", "/mcp"):
        response = await client.http.get(path, headers={"x-request-id": "a.b:c-1"})
        assert response.headers["x-request-id"] == "a.b:c-1", path
    fresh = [(await client.http.get("/health")).headers["x-request-id"] for _ in range(2)]
    assert fresh[0] != fresh[1]


async def test_the_caller_and_the_outcome_of_refusals_are_noted(
    settings: Settings, mongodb_uri: str, database: Database, seen: list[Step]
) -> None:
    del database
    from pydantic import SecretStr

    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET), max_cost=10) as client:
        await client.http.post("/graphql", json={"query": FEW})
        headers = {"authorization": f"Bearer {token()}"}
        for query in ("query Small { __typename }", "query Wrong { nothing }", FEW.replace("5", "900"), "{"):
            await client.http.post("/graphql", json={"query": query}, headers=headers)
        await client.http.post("/graphql", content=b"no JSON", headers=headers)
        await client.http.get("/api/v1/sessions/none/memory", headers=headers)
        await client.http.get("/api/v1/sessions/none/memory")
    requests = [one for one in seen if one.kind is Kind.REQUEST]
    found = [(one.facts.get("operation", ""), one.facts.get("caller", ""), one.outcome) for one in requests]
    assert found == [
        ("", "", "UNAUTHENTICATED"),
        ("Small", "user", "OK"),
        ("", "user", "BAD_USER_INPUT"),
        ("Few", "user", "TOO_COSTLY"),
        ("", "user", "BAD_USER_INPUT"),
        ("", "user", "BAD_USER_INPUT"),
        ("memory.get", "user", "NOT_FOUND"),
        ("memory.get", "", "UNAUTHENTICATED"),
    ]
    costly = requests[3].facts
    assert costly["refused"] == 900 + 1
    assert "cost" not in costly


async def test_each_operation_of_a_socket_and_each_line_is_a_request(app: Starlette, seen: list[Step]) -> None:
    async with serving(app) as client:
        async with socket_to(str(client.http.base_url).rstrip("/")) as socket:
            await socket.subscribe("query First { __typename }", {}, "a")
            await socket.data()
            await socket.receive()
            await socket.subscribe("query Second { __typename }", {}, "b")
            await socket.data()
            await socket.receive()
        bodies = [{"query": ADD.replace("Add", name), "variables": {"content": "x"}} for name in "AB"]
        lines = "\n".join(map(json.dumps, bodies))
        headers = {"content-type": "application/jsonl", "x-request-id": "lines"}
        await client.http.post("/graphql", content=lines, headers=headers)
    named = [one for one in seen if one.kind is Kind.REQUEST and "operation" in one.facts]
    assert [one.facts["operation"] for one in named] == ["First", "Second", "A", "B"]
    ids = [one.request_id for one in named]
    assert ids[0].partition("#")[0] == ids[1].partition("#")[0]
    assert [id_.partition("#")[2] for id_ in ids] == ["1", "2", "1", "2"]
    assert ids[2] == "lines#1"
    (body,) = [one for one in seen if one.facts.get("kind") == "lines"]
    assert "operation" not in body.facts


async def test_the_commands_of_an_operation_belong_to_it(
    settings: Settings, mongodb_uri: str, database: Database, seen: list[Step]
) -> None:
    del database
    async with served_with(settings, mongodb_uri) as client:  # opened while commands are observed
        await client.data(ADD, content=CONTENT)
        await client.data(FEW)
    (few,) = [one for one in seen if one.facts.get("operation") == "Few"]
    own = [one for one in seen if one.kind is Kind.COMMAND and one.owner is few]
    assert {(one.name, one.facts["collection"]) for one in own} == {("aggregate", "sessions")}
    assert all(one.seconds > 0 for one in own)


async def test_changes_that_a_subscriber_causes_to_be_followed_belong_to_no_request(
    app: Starlette, seen: list[Step]
) -> None:
    async with serving(app) as client, socket_to(str(client.http.base_url).rstrip("/")) as socket:
        await client.data(ADD, content="x")
        await socket.subscribe('subscription { messageAdded(sessionId: "hidden-session") { content } }', {})
        await client.data(ADD, content="y")
        await socket.data()
    assert not [one for one in seen if one.kind is Kind.COMMAND and one.name == "getMore" and one.owner is not None]


def test_a_line_of_json_holds_what_no_encoder_takes() -> None:
    form = JSONLines()
    record = logging.LogRecord("x", logging.INFO, "", 0, "a lone surrogate \ud800 of %s", ({1, 2},), None)
    assert json.loads(form.format(record))["message"].startswith("a lone surrogate")
    try:
        raise ValueError("the reason")  # noqa: TRY301
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "it failed", (), sys.exc_info())
    line = json.loads(form.format(record))
    assert "the reason" in line["exception"]
    assert "\n" not in form.format(record)


def test_a_job_without_work_and_a_page_are_lines_of_debugging(caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    with observed_by(Lines(stream, "text", 0.0)), caplog.at_level(logging.INFO, "recallql"):
        with step(Kind.JOB, "erasures") as job:
            job.note(items=0)
        with step(Kind.REQUEST):
            pass
        assert stream.getvalue() == ""
        with step(Kind.JOB, "erasures") as job:
            job.note(items=3)
    written = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO recallql: job erasures: OK, 3 items, [\d.]+ ms\n"
    assert re.fullmatch(written, stream.getvalue())


async def test_a_wait_for_entities_is_not_slow(
    settings: Settings, mongodb_uri: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """No worker runs, so the wait lasts as long as it may."""
    del database
    add = ADD.replace('sessionId: "', 'awaitEntities: true, sessionId: "')
    stream = io.StringIO()
    async with served_with(settings, mongodb_uri, await_entities_timeout=3.0) as client:
        with observed_by(Lines(stream, "json", 2.0)), caplog.at_level(logging.INFO, "recallql"):
            await client.data(add, content="x")
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert line["operation"] == "Add"
    assert line["ms"] > line["waitedMs"] > 2_500


def test_a_reader_of_the_log_that_stops_stops_no_request(tmp_path: Path) -> None:
    program = """
import logging, sys, time
from graph.telemetry.logs import configure
from graph.telemetry.steps import Kind, step
configure("info", "text", 0.0)
started = time.monotonic()
for number in range(100_000):
    with step(Kind.REQUEST, protocol="graphql") as request:
        pass
    if number % 1000 == 0:
        logging.getLogger("other").info("number %d", number)
print(time.monotonic() - started, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 60)[0], "it waits for the reader"
            _, log = process.communicate("", timeout=60)
        finally:
            process.kill()
    lines = log.splitlines()
    written = [line for line in lines if "graphql: OK" in line or "number" in line]
    numbers = [int(line.split()[-1]) for line in written if "number" in line]
    assert numbers == sorted(numbers)
    dropped = [int(line.split()[4]) for line in lines if "lines of the log were dropped" in line]
    assert dropped
    assert len(written) + sum(dropped) == 100_100
    assert process.returncode == 0


def test_the_last_lines_are_written(tmp_path: Path) -> None:
    program = """
import logging
from graph.cli.signals import leaving_at_once
from graph.telemetry.logs import configure
configure("info", "text", 0.0)
with leaving_at_once():
    for number in range(5000):
        logging.getLogger("other").info("number %d", number)
"""
    command = [sys.executable, "-c", program]
    for program_ in (program, program.replace("with leaving_at_once():", "if True:")):
        command[-1] = program_
        log = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=True, cwd=tmp_path).stderr
        assert [int(line.split()[-1]) for line in log.splitlines()] == list(range(5000))


def test_an_observer_that_fails_harms_no_request(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        kinds = frozenset({Kind.REQUEST})

        def began(self, step: Step) -> None:
            raise RuntimeError(step.name)

        def ended(self, step: Step) -> None:
            raise RuntimeError(step.name)

    with observed_by(Broken()), step(Kind.REQUEST):
        pass
    assert caplog.messages == ["a step of kind REQUEST could not be observed"] * 2
