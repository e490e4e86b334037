"""The console on messages whose enrichment waits or failed, in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from pymongo import MongoClient

from graph.console import console_is_bundled
from graph.mongod.embedded import running_uri
from tests.support import server_process
from tests.support.console import Visit, add, chromium, said, visiting
from tests.support.server_process import ServerProcess

WAITING = 3_000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("health") / "data"


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[ServerProcess]:
    """A server without a worker."""
    if not console_is_bundled():
        pytest.skip("no bundle to test")
    with server_process.served(data, "--enrichment-processes", "0") as server:
        yield server


@pytest.fixture
def visit(server: ServerProcess) -> Iterator[Visit]:
    with chromium() as browser, visiting(browser, server.url) as visit:
        yield visit
        assert visit.complaints == []


def test_failures_have_their_reasons_and_are_retried(visit: Visit, server: ServerProcess, data: Path) -> None:
    add(server, "failed", *[said(f"Message {number} failed") for number in (1, 2, 3)])
    uri = running_uri(data)
    assert uri is not None
    with MongoClient[dict[str, Any]](uri) as client:
        failed = {"state": "FAILED", "attempts": 5, "at": datetime.now(UTC), "reason": "<b>out of memory</b>"}
        client["recallql"]["messages"].update_many({"sessionId": "failed"}, {"$set": {"enrichment": failed}})
    page = visit.page
    visit.open("health")
    failures = page.get_by_role("region", name="Failures").get_by_role("listitem")
    expect(failures).to_have_count(3)
    expect(failures.first).to_contain_text("<b>out of memory</b>")
    failures.filter(has_text="#1").get_by_role("button", name="Retry").click()
    expect(failures).to_have_count(2)
    failures.filter(has_text="#2").get_by_role("link").click()
    message = page.locator("article.message")
    expect(page.locator("article[data-target]")).to_contain_text("Message 2 failed")
    expect(message.nth(1).get_by_text("failed", exact=True)).to_have_attribute("title", "<b>out of memory</b>")
    expect(message.nth(0).get_by_text("pending", exact=True)).to_be_visible()
    message.nth(1).get_by_role("button", name="Retry enrichment").click()
    expect(message.nth(1).get_by_text("pending", exact=True)).to_be_visible()
    expect(message.get_by_role("button", name="Retry enrichment")).to_have_count(1)
    found = server.graphql("{ enrichment { pending failed } }")["enrichment"]
    assert (found["pending"], found["failed"]) == (2, 1)


def test_health_estimates_when_pending_enrichment_is_through(visit: Visit, server: ServerProcess, data: Path) -> None:
    for first in range(0, WAITING, 500):
        texts = [f"Octavia Butler wrote number {number} in Pasadena." for number in range(first, first + 500)]
        add(server, "waiting", *map(said, texts))
    visit.open("health")
    figures = visit.page.get_by_role("region", name="Enrichment").locator("div")
    pending = figures.filter(has_text="Pending")
    expect(pending).to_contain_text("measuring…")
    expect(pending).to_contain_text("not decreasing")
    expect(pending).to_contain_text("oldest")
    worker = subprocess.Popen(
        [sys.executable, "-m", "graph", "worker", "--quiet", "--data-dir", str(data)],
        cwd=data.parent,
        env=server_process.clean_environment(),
    )
    try:
        estimate = re.compile(r"about [\d,]+ (second|minute|hour)s? left, [\d.]+ a second")
        expect(figures.filter(has_text=estimate).first).to_be_visible()
        expect(pending).to_contain_text("nothing waits")
        expect(figures.filter(has_text="Done").locator("dd")).to_have_text(re.compile(r"^3,00\d$"))
    finally:
        worker.terminate()
        worker.wait(60)
