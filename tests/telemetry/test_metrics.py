"""The metrics of a server with its workers, as Prometheus reads them."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from graph.errors import StartupError
from graph.runtime.metrics import OFF, collected
from graph.settings import Settings, load_settings
from graph.store.database import Database
from graph.store.documents import now, pending
from graph.store.jobs.depths import depths
from graph.store.jobs.embedding import announce
from graph.store.vectors import LAYOUT
from graph.telemetry import exposition
from graph.telemetry.metrics import Metrics
from graph.telemetry.operations import MOST_NAMES, FirstNames
from graph.telemetry.steps import Kind, observed_by, record, step
from tests.support.access import as_caller, changed, served_with, token
from tests.support.commands import Commands
from tests.support.live_client import ADDED, socket_to
from tests.support.paths import ROOT
from tests.support.plans import explained
from tests.support.server_process import ServerProcess, served, until
from tests.support.tcp import free_port
from tests.support.untyped import untyped

ADD = """
mutation Add($content: String!) {
  addMemory(input: {sessionId: "s", messages: [{role: "human", content: $content}]}) { replayed }
}
"""
SEARCH = 'query Search { search(query: "Ada", sessionId: "s") { edges { score } } }'

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sum_of(found: Samples, name: str, /, **labels: str) -> float:
    return sum(value for (other, of), value in found.items() if other == name and of >= set(labels.items()))


def scraped(port: int) -> Samples:
    response = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
    assert response.status_code == 200
    return samples(response.text)


async def _follow(server: ServerProcess) -> None:
    async with socket_to(server.url) as socket:
        await socket.subscribe(ADDED, {"id": "s", "after": 0})
        assert await socket.seqs(1) == [1]
        import anyio

        await anyio.to_thread.run_sync(lambda: server.graphql(ADD, content="Grace Hopper wrote a compiler."))
        assert await socket.seqs(1) == [2]


@pytest.mark.timeout(300)
async def test_all_processes_of_a_server_are_in_one_page(tmp_path: Path) -> None:
    import anyio

    port = free_port()
    await anyio.to_thread.run_sync(lambda: _observe_a_server(tmp_path, port))


def _observe_a_server(tmp_path: Path, port: int) -> None:
    import asyncio

    flags = ["--web-processes", "2", "--metrics", f"127.0.0.1:{port}"]
    with served(tmp_path / "data", *flags) as server:
        server.graphql(ADD, content="Ada Lovelace lives in London.")
        asyncio.run(_follow(server))
        until(lambda: sum_of(scraped(port), "recallql_job_items_total", job="entities") == 2, 120)
        for _ in range(2):
            httpx.post(f"{server.url}/graphql", json={"query": SEARCH}, timeout=60)
        httpx.post(f"{server.url}/graphql", json={"query": "query Bad { nothing }"}, timeout=60)
        httpx.get(f"{server.url}/api/v1/sessions/none/memory", timeout=60)
        until(lambda: sum_of(scraped(port), "recallql_processes") == 3)
        until(lambda: _queue_of(scraped(port)) == 0)  # which is looked at every ten seconds
        found = scraped(port)
        directories = _directories_of(server)
        server.stop()
    assert sum_of(found, "recallql_requests_total", operation="Add", kind="mutation", outcome="OK") == 2
    assert sum_of(found, "recallql_requests_total", outcome="BAD_USER_INPUT") == 1
    assert sum_of(found, "recallql_requests_total", operation="memory.get", outcome="NOT_FOUND") == 1
    assert sum_of(found, "recallql_request_seconds_count", operation="Add") == 2
    assert sum_of(found, "recallql_cost_total", caller="anyone") > 20
    assert sum_of(found, "recallql_mongodb_command_seconds_count", command="insert", outcome="OK") > 0
    assert sum_of(found, "recallql_mongodb_checkout_seconds_count") > 0
    assert sum_of(found, "recallql_level", name="mongodb_connections_open") > 0
    assert sum_of(found, "recallql_live_lag_seconds_count") == 1
    assert 0 <= sum_of(found, "recallql_live_lag_seconds_sum") < 60
    assert sum_of(found, "recallql_recall_seconds_count", outcome="OK") == 2
    assert sum_of(found, "recallql_recall_cache_total") == 2
    assert {dict(labels)["role"] for name, labels in found if name == "recallql_process_resident_bytes"} == {
        "web",
        "worker",
    }
    assert sum_of(found, "recallql_process_cpu_seconds_total") > 0
    assert directories
    assert not any(directory.exists() for directory in directories)


def _queue_of(found: Samples) -> float | None:
    return found.get(("recallql_queue_depth", frozenset({("kind", "entities")})))


def _directories_of(server: ServerProcess) -> set[Path]:
    name = "PROMETHEUS_MULTIPROC_DIR"
    found = {child.environ().get(name) for child in server.children() if "mongod" not in child.name()}
    return {Path(path) for path in found if path}


def test_metrics_at_the_api_are_for_service_keys(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--metrics", "key", "--enrichment-processes", "0") as server:
        text = httpx.get(f"{server.url}/metrics", timeout=60).text  # without authentication, anyone is a service
    assert "recallql_processes" in text


async def test_an_end_user_and_a_stranger_get_no_metrics(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    from pydantic import SecretStr

    from tests.support.access import SECRET

    del database
    async with served_with(settings, mongodb_uri, metrics="key", jwt_secret=SecretStr(SECRET)) as client:
        assert (await client.http.get("/metrics")).status_code == 401
        assert (await as_caller(client, token()).http.get("/metrics")).status_code == 403
    async with served_with(settings, mongodb_uri) as client:
        assert (await client.http.get("/metrics")).status_code == 404


@pytest.mark.parametrize("given", ["9464", "host", "host:99999", "a b:1", "[::1]", "::1:9464", "http://host:1"])
def test_an_address_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECALLQL_METRICS", given)
    with pytest.raises(StartupError, match="RECALLQL_METRICS: metrics are served at an address"):
        load_settings()


@pytest.mark.parametrize("given", ["127.0.0.1:9464", "[::1]:9464", "metrics.internal:1", "key"])
def test_an_address_is_accepted(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECALLQL_METRICS", given)
    assert load_settings().metrics == given


def test_clients_make_a_bounded_number_of_series() -> None:
    registry = CollectorRegistry()
    with observed_by(Metrics(registry, "web")):
        for number in range(3 * MOST_NAMES):
            with step(Kind.REQUEST) as request:
                request.note(protocol="graphql", kind="query", operation=f"Name{number}", caller="user", cost=2)
        with step(Kind.REQUEST) as request:
            request.note(protocol="graphql", kind="query", operation="x" * 10_000)
        with step(Kind.REQUEST) as request:
            request.note(protocol="graphql", kind="query", operation="Name1", trusted=0)
    found = {labels["operation"] for labels in _labels(registry, "recallql_requests_total")}
    assert len(found) == MOST_NAMES + 1
    assert (
        registry.get_sample_value("recallql_requests_total", {"operation": "other", "kind": "query", "outcome": "OK"})
        == 2 * MOST_NAMES + 2
    )
    assert registry.get_sample_value("recallql_cost_total", {"caller": "user"}) == 3 * MOST_NAMES * 2


def _labels(registry: CollectorRegistry, name: str) -> list[dict[str, str]]:
    return [sample.labels for family in registry.collect() for sample in family.samples if sample.name == name]


def test_a_worker_says_that_it_has_no_api_for_its_metrics(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with collected(changed(settings, metrics="key"), "worker") as found:
        assert found is OFF
    assert "RECALLQL_METRICS=key" in caplog.text


def test_each_kind_of_step_is_counted() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry, "web")
    with observed_by(metrics):
        record(Kind.COMMAND, "find", 0.1)
        record(Kind.CHECKOUT, "", 0.1)
        record(Kind.SEARCH, "", 0.1, cache="hit")
        record(Kind.DELIVERY, "", 0.1)
        with step(Kind.REQUEST) as request:
            request.note(protocol="graphql", kind="subscription", operation="Long", caller="user", refused=7)
    metrics.set_queues({"entities": (3, 2.5)})
    metrics.read_levels()
    value = registry.get_sample_value
    assert value("recallql_mongodb_command_seconds_count", {"command": "find", "outcome": "OK"}) == 1
    assert value("recallql_mongodb_checkout_seconds_count", {"outcome": "OK"}) == 1
    assert value("recallql_recall_seconds_count", {"outcome": "OK"}) == 1
    assert value("recallql_live_lag_seconds_count") == 1
    assert value("recallql_queue_depth", {"kind": "entities"}) == 3
    assert (value("recallql_process_resident_bytes", {"role": "web"}) or 0) > 1_000_000
    named = {metric.name for metric in registry.collect() if any(sample.value for sample in metric.samples)}
    assert any("refused" in name for name in named)
    assert any("subscription" in name for name in named)


def test_a_page_is_served_at_an_address_of_its_own() -> None:
    port = free_port()
    assert not exposition.is_shared()
    with exposition.shared_directory(), exposition.served(f"127.0.0.1:{port}"):
        assert exposition.is_shared()
        exposition.forget_process(1)
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60)
        assert answer.status_code == 200
        assert exposition.page() == answer.content
        with pytest.raises(StartupError, match="can't listen there"), exposition.served(f"127.0.0.1:{port}"):
            pass
    assert not exposition.is_shared()


def test_of_a_body_of_lines_the_lines_are_counted() -> None:
    registry = CollectorRegistry()
    with observed_by(Metrics(registry, "web")):
        with step(Kind.REQUEST) as body:
            body.note(protocol="graphql", kind="lines")
        with step(Kind.REQUEST) as line:
            line.note(protocol="graphql", kind="mutation", operation="Add")
    counted = [sample.value for metric in registry.collect() for sample in metric.samples if sample.name == REQUESTS]
    assert counted == [1]


REQUESTS = "recallql_requests_total"


def test_the_first_names_stay() -> None:
    names = FirstNames(2)
    assert [names.of(name) for name in ("a", "b", "c", "a", "c", "b")] == ["a", "b", "other", "a", "other", "b"]


def test_failures_of_jobs_are_counted_by_their_reason() -> None:
    registry = CollectorRegistry()
    with observed_by(Metrics(registry, "worker")):
        with step(Kind.JOB, "entities") as job:
            job.note(items=3, failed=2, reasons=["ValueError", "ValueError"])
        with step(Kind.JOB, "erasures") as job:
            job.note(items=0)  # it found no work
        record(Kind.JOB, "summaries", 1.0, "INTERNAL")
    value = registry.get_sample_value
    assert value("recallql_job_failures_total", {"job": "entities", "reason": "ValueError"}) == 2
    assert value("recallql_job_items_total", {"job": "entities"}) == 3
    assert value("recallql_job_failures_total", {"job": "summaries", "reason": "INTERNAL"}) == 1
    assert value("recallql_job_seconds_count", {"job": "erasures", "outcome": "OK"}) is None


async def test_the_depths_of_queues(database: Database) -> None:
    assert set((await depths(database)).values()) == {(0, 0.0)}
    ago = now() - timedelta(seconds=90)
    for name in ("erasures", "forks"):
        await untyped(database, name).insert_many([{"_id": f"{name}{number}", "dueAt": ago} for number in range(3)])
    await untyped(database, "messages").insert_one(
        {"_id": "m", "sessionId": "s", "seq": 1, "createdAt": ago - timedelta(days=9), "enrichment": pending(ago)}
    )
    found = await depths(database)
    assert found["erasures"][0] == found["forks"][0] == 3
    assert found["entities"][0] == 1
    assert all(89 < found[kind][1] < 150 for kind in ("erasures", "forks", "entities"))
    assert found["handovers"] == (0, 0.0)


async def test_the_oldest_message_without_a_vector_is_found_by_a_few_keys_of_indexes(
    database: Database, commands: Commands
) -> None:
    await announce(database, "b")
    kinds: list[tuple[dict[str, Any], int]] = [
        ({}, 10),
        ({"model": "a", "layout": LAYOUT}, 90),
        ({"model": "b", "layout": LAYOUT}, 300),
        ({"model": "b", "layout": LAYOUT - 1}, 70),
        ({"model": "c", "layout": LAYOUT}, 50),
    ]
    for number, (fields, age) in enumerate(kinds):
        written = [
            {"_id": f"{number}-{more}", "sessionId": "s", "dueAt": now() - timedelta(seconds=age - more / 10), **fields}
            for more in range(50)
        ]
        await untyped(database, "recall").insert_many(written)
    with commands.recorded() as sent:
        depth, oldest = (await depths(database))["embeddings"]
    assert depth == 200
    assert 89 < oldest < 150
    reads = [body for name, body in sent if name == "find" and body["find"] == "recall"]
    plans = [(await explained(database, body))["executionStats"] for body in reads]
    assert plans
    assert all(plan["totalKeysExamined"] <= 1 and plan["totalDocsExamined"] == 0 for plan in plans)


@pytest.mark.new_database
async def test_a_kind_that_cant_be_read_costs_no_other_kind_its_depth(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await untyped(database, "messages").insert_one({"_id": "m", "enrichment": {"state": "PENDING"}, "createdAt": now()})
    await untyped(database, "erasures").drop()
    wrong = [{"$set": {"dueAt": {"$toInt": "$_id"}}}]
    await database.client.get_database(database.name).command(
        {"create": "erasures", "viewOn": "messages", "pipeline": wrong}
    )
    found = await depths(database)
    assert "erasures" not in found
    assert found["entities"][0] == 1
    assert found["handovers"] == (0, 0.0)
    assert "the metrics of pending work are without erasures" in caplog.text


def test_the_dashboard_shows_metrics_that_are_there() -> None:
    dashboard: dict[str, Any] = json.loads((ROOT / "docs" / "grafana.json").read_text(encoding="utf-8"))
    registry = CollectorRegistry()
    Metrics(registry, "web")
    there: set[str] = set()
    labels: dict[str, set[str]] = {}
    for metric in registry._collector_to_names:
        kind, name = metric._type, metric._name  # type: ignore[attr-defined]
        ends = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}[kind]
        there |= {name + end for end in ends}
        labels |= {name + end: {*metric._labelnames, "le"} for end in ends}  # type: ignore[attr-defined]
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    shown = {name for expression in expressions for name in re.findall(r"\brecallql_\w+", expression)}
    assert shown <= there
    families = {re.sub("_(total|bucket|sum|count)$", "", name) for name in there}
    assert {re.sub("_(total|bucket|sum|count)$", "", name) for name in shown} == families  # nothing is left out
    for expression in expressions:
        (name, *_) = re.findall(r"\brecallql_\w+", expression)
        by = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in re.split(", ?", group)}
        assert by <= labels[name], expression
