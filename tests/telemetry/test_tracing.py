"""Traces: spans in memory, and a real OTLP receiver on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from graph.outgoing import client_of
from graph.settings import Settings
from graph.store.database import Database
from graph.telemetry import steps
from graph.telemetry.steps import Kind, carry_by, observed_by, record, step
from graph.telemetry.tracing import Tracing
from tests.support.access import served_with
from tests.support.server_process import ServerProcess, served, until

ADD = """
mutation Add($content: String!) {
  addMemory(input: {sessionId: "s", messages: [{role: "human", content: $content}]}) { replayed }
}
"""
FEW = 'query Few { memory(sessionId: "s") { messages(last: 5) { content } } }'
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """The spans that end."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider)
    with observed_by(tracing):
        carry_by(tracing.traceparent)
        try:
            yield exporter
        finally:
            steps._carriers.clear()
    provider.shutdown()


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def ids(span: ReadableSpan) -> tuple[str, str]:
    assert span.context is not None
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


async def test_a_request_its_parts_and_its_commands_are_one_trace(
    settings: Settings, mongodb_uri: str, database: Database, spans: InMemorySpanExporter
) -> None:
    del database
    async with served_with(settings, mongodb_uri) as client:
        await client.data(ADD, content="hidden")
        spans.clear()
        response = await client.http.post("/graphql", json={"query": FEW}, headers={"traceparent": PARENT})
        assert response.json()["data"]["memory"]["messages"] == [{"content": "hidden"}]
    found = {span.name: span for span in spans.get_finished_spans() if ids(span)[0] == TRACE}
    request = found["graphql query Few"]
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert request.kind is SpanKind.SERVER
    below = ("parse", "admission", "resolve Query.memory", "aggregate sessions")
    assert set(below) <= set(found)
    for name in below[:3]:
        span = found[name]
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == ids(request)[1]
    assert request.attributes is not None
    assert request.attributes["graphql.operation.name"] == "Few"
    assert request.attributes["recallql.caller"] == "anyone"
    command = found["aggregate sessions"]
    assert command.attributes is not None
    assert dict(command.attributes) == {
        "db.system.name": "mongodb",
        "db.operation.name": "aggregate",
        "db.collection.name": "sessions",
    }
    assert command.start_time is not None
    assert command.end_time is not None
    assert request.start_time is not None
    assert request.start_time <= command.start_time <= command.end_time
    assert not any("hidden" in str(value) for span in found.values() for value in (span.attributes or {}).values())


async def test_a_zep_route_continues_a_trace_and_a_refusal_is_an_error(
    settings: Settings, mongodb_uri: str, database: Database, spans: InMemorySpanExporter
) -> None:
    del database
    async with served_with(settings, mongodb_uri) as client:
        await client.http.get("/api/v1/sessions/none/memory", headers={"traceparent": PARENT})
        await client.http.get("/api/v1/sessions/none/memory", headers={"traceparent": "nonsense"})
    continued, fresh = named(spans, "zep memory.get")
    assert ids(continued)[0] == TRACE
    assert ids(fresh)[0] != TRACE
    assert continued.status.status_code is StatusCode.ERROR
    assert continued.attributes is not None
    assert continued.attributes["error.type"] == "NOT_FOUND"


async def test_an_invalid_document_is_the_error_of_its_parsing(
    settings: Settings, mongodb_uri: str, database: Database, spans: InMemorySpanExporter
) -> None:
    del database
    async with served_with(settings, mongodb_uri) as client:
        await client.error("query Wrong { nothing }")
        assert (await client.http.get("/health")).status_code == 200
    assert named(spans, "http") == []  # checks of health are no work
    (parsing,) = named(spans, "parse")
    assert parsing.attributes is not None
    assert parsing.attributes["error.type"] == "BAD_USER_INPUT"


async def test_a_message_carries_the_trace_of_its_write_until_its_job_is_done(
    settings: Settings, mongodb_uri: str, database: Database, spans: InMemorySpanExporter
) -> None:
    async with served_with(settings, mongodb_uri) as client:
        await client.data(ADD, content="Ada")
        (write,) = named(spans, "graphql mutation Add")
        stored = await database.messages.find_one({"sessionId": "s"})
        assert stored is not None
        assert ids(write)[0] in stored["enrichment"]["trace"]
    with step(Kind.JOB, "entities", links=[stored["enrichment"]["trace"], "nonsense"], earlier=2.0):
        record(Kind.COMMAND, "find", 0.5, collection="messages")
    (job,) = named(spans, "job entities")
    assert [f"{link.context.trace_id:032x}" for link in job.links] == [ids(write)[0]]
    assert ids(job)[0] != ids(write)[0]
    assert job.start_time is not None
    assert job.end_time is not None
    assert job.end_time - job.start_time >= 2e9
    (command,) = [span for span in named(spans, "find messages") if ids(span)[0] == ids(job)[0]]
    assert command.parent is not None


def test_a_command_outside_of_all_work_is_no_trace(spans: InMemorySpanExporter) -> None:
    record(Kind.COMMAND, "getMore", 0.5, collection="messages")
    with step(Kind.RESOLVER, "Subscription.messageAdded"), step(Kind.SEARCH):
        pass
    assert spans.get_finished_spans() == ()


class Collector(ThreadingHTTPServer):
    """An OTLP receiver, which also answers as a model; and notes the headers of the requests to the model."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        self.parents: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces":
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            request = ExportTraceServiceRequest.FromString(body)
            for part in request.resource_spans:
                self.server.resources.append({a.key: a.value.string_value for a in part.resource.attributes})
                for scope in part.scope_spans:
                    self.server.spans += scope.spans
        else:
            self.server.parents.append(self.headers.get("traceparent", ""))
        self.send_response(200 if self.path == "/v1/traces" else 400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


async def test_calls_of_other_services_carry_the_trace(spans: InMemorySpanExporter) -> None:
    with collecting() as collector:
        url = httpx.URL(f"{collector.url}/embeddings")
        async with client_of(url) as client:
            with step(Kind.JOB, "embeddings"), step(Kind.CALL, "embedding"):
                await client.post(url, content=b"{}")
            await client.post(url, content=b"{}")
    (call,) = named(spans, "call embedding")
    trace, span = ids(call)
    assert [parent[: len("00-") + 49] for parent in collector.parents] == [f"00-{trace}-{span}", ""]


@pytest.mark.timeout(300)
async def test_a_server_and_its_worker_export_to_a_collector_by_otlp(tmp_path: Path) -> None:
    def run() -> tuple[Collector, int]:
        with collecting() as collector:
            with served(
                tmp_path / "data",
                "--otlp-endpoint",
                collector.url,
                RECALLQL_EMBEDDING_MODEL="one",
                RECALLQL_EMBEDDING_BASE_URL=collector.url,
            ) as server:
                _write(server)
                until(lambda: [span for span in collector.spans if span.name == "job entities"], 120)
                until(lambda: collector.parents, 120)
                status = server.stop()
            return collector, status

    collector, status = await asyncio.to_thread(run)
    assert status == 0
    (write,) = [span for span in collector.spans if span.name == "graphql mutation Add"]
    assert write.trace_id.hex() == TRACE
    job = next(span for span in collector.spans if span.name == "job entities")
    assert [link.trace_id.hex() for link in job.links] == [TRACE]
    assert {resource["recallql.role"] for resource in collector.resources} == {"web", "worker"}
    assert all(parent.startswith("00-") for parent in collector.parents)
    embedding = {span.trace_id.hex(): span for span in collector.spans if span.name == "job embeddings"}
    assert {parent.split("-")[1] for parent in collector.parents} & embedding.keys()


def _write(server: ServerProcess) -> None:
    body = {"query": ADD, "variables": {"content": "Ada Lovelace lives in London."}}
    httpx.post(f"{server.url}/graphql", json=body, headers={"traceparent": PARENT}, timeout=60).raise_for_status()


@pytest.mark.timeout(300)
def test_a_collector_that_is_away_delays_no_stop(tmp_path: Path) -> None:
    import time

    from tests.support.tcp import free_port

    url = f"http://127.0.0.1:{free_port()}"
    with served(tmp_path / "data", "--otlp-endpoint", url, "--enrichment-processes", "0") as server:
        _write(server)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 20  # 2 seconds more than without traces
