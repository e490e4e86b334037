"""The console on what enrichment finds in messages: where entities occur, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from graph.console import console_is_bundled
from tests.support import node_project, server_process
from tests.support.console import Visit, add, said, visiting
from tests.support.server_process import ServerProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    if not console_is_bundled():
        pytest.skip("no bundle to test")
    with server_process.served(tmp_path_factory.mktemp("enriched") / "data") as server:
        yield server


@pytest.fixture
def visit(browser: Browser, server: ServerProcess) -> Iterator[Visit]:
    with visiting(browser, server.url) as visit:
        yield visit
        assert visit.complaints == []


def test_a_mark_of_an_entity_tells_where_else_it_occurs(visit: Visit, server: ServerProcess) -> None:
    node_project.install()
    for number in range(1, 9):
        add(server, f"visit {number}", said(f"We saw Seattle, {number}."), userId="traveller", awaitEntities=True)
    add(server, "of somebody else", said("We saw Seattle, too."), userId="other", awaitEntities=True)
    linked = "Octavia Butler moved to Seattle. See [Seattle](https://example.test/) and Seattle."
    add(server, "visit 9", said(linked), userId="traveller", awaitEntities=True)
    asked: list[str] = []
    page = visit.page
    page.on("request", lambda request: asked.append(request.post_data or "") if request.method == "POST" else None)
    visit.open("sessions/visit 9")
    mark = page.get_by_role("button", name="Seattle")
    expect(mark).to_have_count(2)  # a link has no other control in it
    assert not [body for body in asked if "query Occurrences" in body]
    card = page.get_by_role("group", name="Occurrences of Seattle")
    mark.first.hover()
    expect(card.get_by_role("link", name="in this session")).to_be_visible()
    expect(card).to_contain_text("of the user")
    assert [link for link in card.get_by_role("link").all_inner_texts() if "Seattle" in link] == [
        f"We saw Seattle, {number}." for number in (8, 7, 6, 5, 4)
    ]
    expect(card).to_contain_text("and 3 earlier sessions")
    assert visit.violations() == []
    page.mouse.move(700, 850)
    expect(card).to_have_count(0)
    mark.first.focus()
    expect(card).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    page.keyboard.press("Enter")
    expect(card).to_be_visible()
    for _ in range(3):  # past the links to the entity
        page.keyboard.press("Tab")
    expect(card.get_by_role("link", name="We saw Seattle, 8.")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="We saw Seattle, 8.")).to_be_visible()
    assert len([body for body in asked if "query Occurrences" in body]) == 1
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Seattle").click()
    expect(card).to_be_visible()
    box = card.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    expect(card).to_contain_text(re.compile("and 3 earlier sessions"))
