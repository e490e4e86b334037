"""The console's lists with more than fits: how much of them is read, kept and shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from graph.console import console_is_bundled
from tests.support import server_process
from tests.support.console import Visit, add, said, visiting
from tests.support.console_pages import Cost, ScrolledList
from tests.support.server_process import ServerProcess

SESSIONS = 400
MESSAGES = 600
SUMMARIES = 260

pytestmark = pytest.mark.slow


def summarised() -> Iterator[dict[str, Any]]:
    """The export of a session with a summary of each two messages."""
    yield {"format": "recallql", "version": 1, "exportedAt": "2026-01-31T09:30:00Z"}
    for seq in range(1, 2 * SUMMARIES + 1):
        yield {"type": "message", "sessionId": "summarised", **said(f"summarised message {seq}")}
    for last in range(2, 2 * SUMMARIES + 1, 2):
        covers = {"firstSeq": last - 1, "lastSeq": last, "source": "EXTRACTIVE"}
        yield {"type": "summary", "sessionId": "summarised", "content": f"What was said up to {last}. " * 5, **covers}
    yield {"type": "end", "users": 0, "sessions": 1, "messages": 2 * SUMMARIES}


def import_(data: Path, records: Iterator[dict[str, Any]]) -> None:
    """Import records into the database of a running server."""
    subprocess.run(
        [sys.executable, "-m", "graph", "import", "--data-dir", str(data)],
        input="\n".join(map(json.dumps, records)),
        text=True,
        check=True,
        timeout=60,
        cwd=data.parent,
        env=server_process.clean_environment(),
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    if not console_is_bundled():
        pytest.skip("no bundle to test")
    data = tmp_path_factory.mktemp("lists") / "data"
    with server_process.served(data, "--enrichment-processes", "0") as server:
        import_(data, summarised())
        add(server, "long", *[said(f"message number {number} of many") for number in range(1, MESSAGES + 1)])
        for number in range(1, SESSIONS + 1):
            add(server, f"session {number:04}", said(f"the only message of {number:04}"))
        yield server


@pytest.fixture
def visit(browser: Browser, server: ServerProcess) -> Iterator[Visit]:
    with visiting(browser, server.url) as visit:
        yield visit
        assert visit.complaints == []


def assert_is_bounded(cost: Cost, size: int) -> None:
    """At most two pages are read ahead; the document stays as large; no step moves the list back, or far."""
    assert max(cost.ahead) <= 2 * size
    assert max(cost.elements) <= 1.5 * median(cost.elements)
    assert all(0 <= moved <= 25 for moved in cost.moved), cost.moved


def scroll_to(rows: ScrolledList, row: Locator, size: int, *, down: bool) -> int:
    """Scroll until a row is there; return the number of pages that were read."""
    pages = 1
    for _ in range(12):
        cost = rows.scroll(20, 900, down=down)
        assert_is_bounded(cost, size)
        pages += cost.pages[-1] - 1
        if row.count():
            break
    expect(row).to_be_visible()
    return pages


def test_a_long_list_of_sessions_is_read_kept_and_shown_in_parts(visit: Visit) -> None:
    rows = ScrolledList(visit.page, "Sessions", 50)
    visit.open()
    row = visit.page.locator("a.session")
    expect(row.first).to_contain_text(f"the only message of {SESSIONS:04}")
    pages = scroll_to(rows, row.filter(has_text="message number"), 50, down=True)
    assert pages == SESSIONS // 50 + 1, "each page is read once"
    newer = visit.page.get_by_role("button", name="Show the newest sessions")
    expect(newer).to_be_visible()
    scroll_to(rows, row.filter(has_text=f"the only message of {SESSIONS:04}"), 50, down=False)
    expect(row.first).to_contain_text(f"the only message of {SESSIONS:04}")
    expect(newer).to_have_count(0)


def test_the_text_of_the_filter_finds_titles_and_ids(visit: Visit, server: ServerProcess) -> None:
    add(server, "journey", said("Nothing about it is said here."))
    update = "mutation($i: UpdateSessionInput!) { updateSession(input: $i) { session { title } } }"
    server.graphql(update, i={"sessionId": "journey", "title": "A voyage to Lisbon"})
    by_name = visit.page.get_by_role("region", name="By title and id")
    visit.open()
    for text, found in (("lisb voy", "A voyage to Lisbon"), ("journ", "A voyage to Lisbon"), ("session 0123", "0123")):
        visit.page.get_by_role("searchbox", name="Text").fill(text)
        visit.page.get_by_role("button", name="Filter").click()
        expect(by_name.locator("a.session")).to_have_count(1)
        expect(by_name).to_contain_text(found)
    visit.open("sessions?text=session+0")
    expect(by_name.locator("a.session")).to_have_count(20)
    expect(by_name).to_contain_text("The latest 20")
    visit.open("sessions?text=session+0&user=nobody")
    expect(by_name).to_contain_text("No id, and no word of a title that was set, begins with this text.")


def test_a_reader_of_older_sessions_is_told_of_changes_and_not_moved(visit: Visit, server: ServerProcess) -> None:
    rows = ScrolledList(visit.page, "Sessions", 50)
    visit.open()
    row = visit.page.locator("a.session")
    expect(row.first).to_be_visible()
    rows.scroll(10, 900, down=True)
    before = rows.shown()
    add(server, "session 0001", said("an old session has news"))
    expect(visit.page.get_by_text("Sessions have changed since.")).to_be_visible()
    assert rows.shown() == before
    visit.page.get_by_role("button", name="Show the newest sessions").click()
    expect(row.first).to_contain_text("an old session has news")
    expect(row.filter(has_text="the only message of 0001")).to_have_count(1)
    add(server, "session 0002", said("and another one"))
    expect(row.first).to_contain_text("and another one")


def test_a_link_opens_at_any_message_of_a_long_conversation(visit: Visit) -> None:
    rows = ScrolledList(visit.page, "Messages", 40)
    for seq in (300, 3, MESSAGES):
        visit.open(f"sessions/long?seq={seq}")
        expect(visit.page.locator("article[data-target]")).to_contain_text(f"message number {seq} of many")
        expect(visit.page.locator("article[data-target]")).to_be_in_viewport()
    assert len(rows.read) == 3


def test_from_a_linked_message_both_directions_are_read_on_demand(visit: Visit) -> None:
    rows = ScrolledList(visit.page, "Messages", 40)
    message = visit.page.locator("article.message")
    visit.open("sessions/long?seq=300")
    expect(visit.page.locator("article[data-target]")).to_be_in_viewport()
    scroll_to(rows, message.filter(has_text=f"message number {MESSAGES} of many"), 40, down=True)
    scroll_to(rows, message.get_by_text("message number 1 of many", exact=True), 40, down=False)
    visit.page.get_by_role("button", name="Show the newest messages").click()
    expect(message.filter(has_text=f"message number {MESSAGES} of many")).to_be_visible()


def test_a_link_to_a_message_that_is_gone_shows_its_place(visit: Visit, server: ServerProcess) -> None:
    add(server, "gone", *[said(f"kept {number}") for number in range(1, 101)])
    read = '{ session(sessionId: "gone") { messages(afterSeq: 49, first: 1) { edges { node { uuid } } } } }'
    uuid = server.graphql(read)["session"]["messages"]["edges"][0]["node"]["uuid"]
    server.graphql(f'mutation {{ deleteMessage(input: {{ uuid: "{uuid}" }}) {{ deletedId }} }}')
    visit.open("sessions/gone?seq=50")
    expect(visit.page.get_by_text("Message #50 is not in this conversation")).to_be_visible()
    expect(visit.page.locator("article.message").get_by_text("kept 51", exact=True)).to_be_in_viewport()


def test_all_summaries_are_read_as_they_are_scrolled_to(visit: Visit) -> None:
    rows = ScrolledList(visit.page, "Summaries", 40, ".summaries")
    visit.open("sessions/summarised")
    rail = visit.page.get_by_role("complementary", name="Summaries")
    marked = rail.locator("[aria-current=true]")
    newest = rail.get_by_text(f"#{2 * SUMMARIES - 1} to #{2 * SUMMARIES}", exact=True)
    expect(newest).to_be_in_viewport()
    expect(marked.get_by_text(f"#{2 * SUMMARIES - 1} to #{2 * SUMMARIES}", exact=True)).to_be_visible()
    assert len(rows.read) == 1
    oldest = rail.get_by_text("#1 to #2", exact=True)
    for _ in range(12):
        cost = rows.scroll(20, 400, down=False)
        assert max(cost.ahead) <= 2 * 40
        assert max(cost.elements) <= 1.5 * median(cost.elements)
        if oldest.count():
            break
    oldest.click()
    expect(rail.get_by_text("What was said up to 2.")).to_be_visible()
    rail.get_by_role("button", name="Show its messages").click()
    expect(visit.page.locator("article[data-target]")).to_contain_text("summarised message 1")
    expect(marked.get_by_text("#1 to #2", exact=True)).to_be_visible()
    earlier = [variables["before"] for variables in rows.read if variables.get("before")]
    assert len(earlier) == len(set(earlier)) == SUMMARIES // 40, "each page is read once"


def test_new_messages_push_out_the_oldest_ones_of_the_page(visit: Visit, server: ServerProcess) -> None:
    add(server, "growing", said("growing 0"))
    visit.open("sessions/growing")
    message = visit.page.locator("article.message")
    expect(message).to_have_count(1)
    for first in range(1, 400, 20):
        add(server, "growing", *[said(f"growing {number}") for number in range(first, first + 20)])
        expect(message.get_by_text(f"growing {first + 19}", exact=True)).to_be_in_viewport()
    rows = ScrolledList(visit.page, "Messages", 40)
    assert scroll_to(rows, message.get_by_text("growing 0", exact=True), 40, down=False) >= 3
