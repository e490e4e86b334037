"""Prints what the console's lists cost the browser at 100,000 rows: `python -m benchmarks.console_lists`.

One `recallql serve` without workers, with 100,000 sessions of two messages and a session of 100,000 messages in the
shape of the store. Chromium opens each list twice, since the first time reads all of it from the disk, and scrolls it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from platformdirs import user_cache_path
from playwright.sync_api import Page, sync_playwright
from pymongo import MongoClient

from benchmarks import data
from benchmarks.report import Report
from graph.mongod.embedded import running_uri
from graph.store.documents import new_uuid
from tests.support.browser import CHROMIUM_ARGUMENTS, chromium_program
from tests.support.console_pages import ScrolledList
from tests.support.server_process import served

_START = datetime(2026, 1, 31, 12, tzinfo=UTC)
_AT_ONCE = 5_000
_KEPT = user_cache_path("recallql-benchmarks")


def main(
    rows: Annotated[int, typer.Option(help="sessions, and messages of the long session")] = 100_000,
    steps: Annotated[int, typer.Option(help="steps of scrolling, each about a fifth of a page")] = 400,
    kept: Annotated[Path, typer.Option("--data", help="where data is kept")] = _KEPT,
) -> None:
    """Load the store, and measure each list."""
    report = Report()
    directory = kept / f"console-{rows}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    place = f"sessions/{data.LONG_SESSION}"
    lists = [
        View("Sessions", "", "a.session", 50, steps),
        View("Messages", place, "article.message", 40, steps),
        View("Messages", f"{place}?seq={rows // 2}", "article.message", 40, 0),
    ]
    with served(directory, "--enrichment-processes", "0") as server:
        client: MongoClient[dict[str, Any]] = MongoClient(running_uri(directory), tz_aware=True)
        _load(client, rows)
        report.line(f"{rows:,} sessions, and one of {rows:,} messages")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_program(), args=CHROMIUM_ARGUMENTS)
            for is_warm in (False, True):
                for view in lists:
                    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
                        _measure(context.new_page(), f"{server.url}/console#/", view, report, is_warm=is_warm)
            browser.close()
        client.close()
    report.verdict()


@dataclass(frozen=True, slots=True)
class View:
    """A list of the console.

    Attributes:
        operation: the name of the query that reads a page of it.
        place: its address in the console.
        selector: selects its rows.
        size: the number of rows of a page.
        steps: steps of scrolling.
    """

    operation: str
    place: str
    selector: str
    size: int
    steps: int


def _measure(page: Page, console: str, view: View, report: Report, *, is_warm: bool) -> None:
    page.set_default_timeout(60_000)
    rows = ScrolledList(page, view.operation, view.size)
    report.head(f"{view.operation} at #/{view.place}")
    milliseconds = rows.first_shown(f"{console}{view.place}", view.selector)
    if not is_warm:
        report.line(f"  first row after {milliseconds:,.0f} ms, the first time")
        return
    report.target("first row, ms", [milliseconds], most=1_000)
    if not view.steps:
        return
    cost = rows.scroll(view.steps, 900, down=view.operation == "Sessions", heap_every=view.steps // 8)
    report.line(f"  pages read: {cost.pages[-1]}, heap, MB: {[round(each / 1e6, 1) for each in cost.heap]}")
    report.line(f"  elements: {min(cost.elements)} to {max(cost.elements)}")
    report.line(f"  rows moved by a step: {min(cost.moved)} to {max(cost.moved)}")
    report.target("rows read ahead", [float(max(cost.ahead))], most=2 * view.size)
    report.target("heap at the end, of that after a quarter", [cost.heap[-1] / cost.heap[2]], most=1.25)


def _load(client: MongoClient[dict[str, Any]], rows: int) -> None:
    database = client["recallql"]
    if database["benchmark"].find_one({"_id": "format", "is": data.FORMAT}):
        return
    texts = itertools.cycle(itertools.chain.from_iterable(messages for _, messages in data.chats()))

    def session(name: str, count: int, at: datetime) -> dict[str, Any]:
        return {
            "_id": name,
            "uuid": new_uuid(),
            "metadata": {},
            "createdAt": at,
            "updatedAt": at,
            "lastSeq": count,
            "messageCount": count,
            "tokenCount": 10 * count,
            "summarySeq": 0,
        }

    def documents() -> Iterator[dict[str, Any]]:
        for number in range(rows):
            for seq in (1, 2):
                yield data.document_of(f"session-{number:06}", seq, next(texts), 10)
        for seq in range(1, rows + 1):
            yield data.document_of(data.LONG_SESSION, seq, next(texts), 10)

    sessions = [session(f"session-{number:06}", 2, _START + timedelta(seconds=number)) for number in range(rows)]
    sessions.append(session(data.LONG_SESSION, rows, _START + timedelta(seconds=rows)))
    for start in range(0, len(sessions), _AT_ONCE):
        database["sessions"].insert_many(sessions[start : start + _AT_ONCE], ordered=False)
    left = documents()
    while some := list(itertools.islice(left, _AT_ONCE)):
        database["messages"].insert_many(some, ordered=False)
    database["benchmark"].insert_one({"_id": "format", "is": data.FORMAT})


if __name__ == "__main__":
    typer.run(main)
