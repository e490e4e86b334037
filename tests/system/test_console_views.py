"""The views of the console beside its conversations, by pointer, keyboard and phone, in a real browser."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support import node_project
from tests.support.console import Visit, add, said
from tests.support.paths import ROOT
from tests.support.server_process import ServerProcess

ARTIFACTS = ROOT / "test-artifacts"

pytestmark = pytest.mark.usefixtures("bundle")


@pytest.fixture(scope="module", autouse=True)
def artifacts() -> None:
    ARTIFACTS.mkdir(exist_ok=True)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element with a name has the focus."""
    focused = """() => {
        const element = document.activeElement;
        const isControl = element.matches('a, button, input, textarea');
        return isControl ? element.ariaLabel || element.textContent : '';
    }"""
    for _ in range(200):
        page.keyboard.press("Tab")
        if name in page.evaluate(focused):
            return
    raise AssertionError(f"the keyboard does not reach {name}")


@pytest.mark.slow
def test_the_keyboard_alone_is_enough(visit: Visit, server: ServerProcess) -> None:
    add(server, "by-keys", said("Written with a keyboard"), userId="typist")
    page = visit.page
    visit.open("sessions?user=typist")
    expect(page.locator("a.session")).to_have_count(1)
    tab_to(page, "Written with a keyboard")
    page.keyboard.press("Enter")
    message = page.locator("article.message")
    expect(message).to_have_count(1)
    tab_to(page, "Edit")
    page.keyboard.press("Enter")
    tab_to(page, "Content of message 1")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Changed with a keyboard")
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(message).to_contain_text("Changed with a keyboard")
    tab_to(page, "JSON")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Query for message 1")).to_be_visible()
    tab_to(page, "Search in it")
    page.keyboard.press("Enter")
    box = page.get_by_role("searchbox").first
    expect(box).to_be_visible()
    while not box.evaluate("element => element === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.type("keyboard")
    page.keyboard.press("Enter")
    expect(page.locator("ol.results li")).to_have_count(1)
    tab_to(page, "Health")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Storage")).to_be_visible()
    assert visit.complaints == []


@pytest.mark.slow
def test_recall_finds_messages_and_builds_a_context(visit: Visit, server: ServerProcess) -> None:
    add(
        server, "recall", said("My sister Clara works at the harbour office."), said("Nice!", "assistant"), userId="eve"
    )
    visit.open("recall?user=eve")
    visit.page.get_by_role("searchbox", name="Query").fill("sister harbour")
    visit.page.get_by_role("button", name="Search").click()
    first = visit.page.locator("ol.results li").first
    expect(first).to_contain_text("Clara")
    expect(first.locator("mark.match", has_text="harbour")).to_be_visible()
    expect(first.locator("p.why")).to_contain_text(re.compile(r"words 0\.\d\d"))
    expect(first.locator("svg.shares rect.of-words")).to_be_attached()
    visit.page.get_by_role("button", name="Build a context").click()
    expect(visit.page.locator("pre.prompt")).to_contain_text("Clara works at the harbour office")
    expect(visit.page.locator("svg.shares rect.of-recalled")).to_be_attached()
    first_link = visit.page.get_by_role("link", name="Health")
    first_link.click()
    expect(visit.page.get_by_role("region", name="Enrichment")).to_be_visible()
    visit.open("users/eve")
    expect(visit.page.get_by_role("heading", name="eve")).to_be_visible()
    assert visit.complaints == []


@pytest.mark.slow
def test_a_user_has_charts_of_the_most_mentioned_entities(visit: Visit, server: ServerProcess) -> None:
    for month, text in [
        ("01", "Octavia Butler is here."),
        ("03", "Octavia Butler moved to Seattle."),
        ("05", "In Seattle."),
    ]:
        said_then = {**said(text), "createdAt": f"2026-{month}-01T00:00:00Z"}
        add(server, f"of-{month}", said_then, userId="reader", awaitEntities=True)
    visit.open("users/reader")
    expect(visit.page.get_by_role("heading", name="Most mentioned over time")).to_be_visible()
    for name, columns in [("Octavia Butler", {0, 20}), ("Seattle", {19, 39})]:
        chart = visit.page.get_by_role("img", name=f"Messages with {name} from Jan 1, 2026")
        heights = [float(bar.get_attribute("height") or 0) for bar in chart.locator("rect").all()]
        high = {column for column, height in enumerate(heights) if height > 0}
        assert len(high) == len(columns)
        assert all(any(abs(column - expected) <= 1 for expected in columns) for column in high), high
    visit.page.locator(".mentions").get_by_role("link", name="Seattle").click()
    expect(visit.page.get_by_role("heading", name="Seattle")).to_be_visible()
    assert visit.complaints == []


def facts_of(visit: Visit) -> dict[str, str]:
    """The figures of the deployment by their names."""
    found: dict[str, str] = visit.page.get_by_role("region", name="Deployment").evaluate(
        "(region) => Object.fromEntries([...region.querySelectorAll('dt')].map((term) =>"
        " [term.textContent, term.nextElementSibling.firstChild.textContent]))"
    )
    return found


@pytest.mark.slow
def test_health_shows_versions_subscribers_storage_and_the_findings_of_doctor(
    visit: Visit, browser: Browser, server: ServerProcess
) -> None:
    add(server, "stored", *[said(f"Message {number}") for number in range(40)])
    asked = "{ deployment { version mongodbVersion findings { name grade text } storage { collections { name } } } }"
    told = server.graphql(asked)["deployment"]
    visit.open("health")
    storage = visit.page.get_by_role("region", name="Storage")
    rows = storage.locator("tbody tr")
    expect(rows).to_have_count(len(told["storage"]["collections"]))
    messages = rows.filter(has=visit.page.get_by_role("rowheader", name="messages", exact=True))
    expect(messages.get_by_role("cell").first).to_have_text(re.compile(r"^[\d,]{2,}$"))
    expect(messages.get_by_role("cell").last).to_have_text(re.compile(r"^[\d.]+ [KM]iB$"))
    expect(storage).to_contain_text(re.compile(r"GiB of .* are free on the disk"))
    facts = facts_of(visit)
    assert (facts["RecallQL"], facts["MongoDB"]) == (told["version"], told["mongodbVersion"])
    checks = visit.page.get_by_role("region", name="Checks")
    for finding in told["findings"]:
        if finding["name"] == "Recall":  # it is there while messages wait for their vectors
            continue
        expect(checks.get_by_role("listitem").filter(has_text=f"{finding['name']}:").first).to_contain_text(
            finding["grade"].lower()
        )
    visit.page.screenshot(path=ARTIFACTS / "console-health.png", full_page=True)
    server.graphql("query Looked { sessions(first: 1) { edges { cursor } } }")
    slowest = visit.page.get_by_role("region", name="Slowest operations").locator("tbody tr")
    looked = slowest.filter(has=visit.page.get_by_role("rowheader", name="Looked query"))
    expect(looked.get_by_role("cell").first).to_have_text("1")
    expect(looked.get_by_role("cell").nth(2)).to_have_text(re.compile(r"^[\d.,]+ m?s$"))
    before = int(facts["Subscribers"])
    with browser.new_context() as context:
        other = Visit(context.new_page(), server.url)
        other.open("sessions/stored")  # which subscribes
        expect(other.page.locator("article.message").last).to_be_visible()
        subscribers = visit.page.get_by_role("region", name="Deployment").locator("dd").first
        expect(subscribers).not_to_contain_text(re.compile(rf"^{before}(?!\d)"))
        assert int(facts_of(visit)["Subscribers"]) > before
    assert visit.complaints == []


SHOWN = [
    said("Who was Octavia Butler? I only know that she wrote Kindred."),
    said(
        "Octavia Estelle Butler (June 22, 1947 to February 24, 2006) was an American science fiction author from"
        " **Pasadena**. She was the first author of the genre who received a MacArthur Fellowship.",
        "assistant",
    ),
    said("Which of her books should I read on the train to Berlin?"),
    {
        "role": "assistant",
        "parts": [
            {"type": "tool-call", "toolName": "library", "input": {"author": "Octavia Butler"}},
            {"type": "text", "text": "- *Kindred* (1979)\n- *Parable of the Sower* (1993), set in California"},
        ],
    },
]


@pytest.mark.slow
def test_pictures_of_the_readme(visit: Visit, server: ServerProcess) -> None:
    add(server, "octavia", *SHOWN, userId="maria", awaitEntities=True)
    hike = [said("We hiked up Mount Wilson near Pasadena."), said("How was the weather?", "assistant")]
    add(server, "mountains", *hike, userId="maria", awaitEntities=True)
    visit.page.set_viewport_size({"width": 1100, "height": 760})
    visit.open("sessions/octavia")
    expect(visit.page.locator("mark.entity").filter(has_text="Pasadena")).to_be_visible()
    visit.page.screenshot(path=ARTIFACTS / "console-conversation.png")
    visit.open("recall?user=maria&query=Which+author+comes+from+Pasadena%3F")
    expect(visit.page.locator("ol.results li").first).to_contain_text("science fiction author from Pasadena")
    visit.page.screenshot(path=ARTIFACTS / "console-recall.png")
    assert visit.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_view_is_accessible_and_fits_a_phone(browser: Browser, server: ServerProcess, scheme: Any) -> None:
    node_project.install()
    add(server, "fits", said("Octavia Butler was born in Pasadena. " * 20), userId="ada", awaitEntities=True)
    ids = '{ session(sessionId: "fits") { entities(first: 1) { edges { node { id } } } } }'
    entity = server.graphql(ids)["session"]["entities"]["edges"][0]["node"]["id"]
    with browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme) as context:
        visit = Visit(context.new_page(), server.url)
        for view, text in (
            ("", "Pasadena"),
            ("sessions/fits", "Search in it"),
            ("recall?query=Octavia", "Pasadena"),
            ("recall?query=Octavia&session=fits&show=context", "Pasadena"),
            ("users/ada", "Entities"),
            ("health", "are free on the disk"),
            (f"entities/{quote(entity, safe='')}", "from"),
        ):
            visit.open(view)
            expect(visit.page.locator("main")).to_contain_text(text)
            expect(visit.page.get_by_role("status").filter(has_text="Loading…")).to_have_count(0)
            assert visit.violations() == [], view
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390, view
            visit.page.set_viewport_size({"width": 1440, "height": 900})
            assert visit.violations() == [], view
            visit.page.set_viewport_size({"width": 390, "height": 844})
        visit.open("health")
        visit.page.locator("main").focus()
        visit.page.keyboard.press("End")
        expect(visit.page.get_by_role("region", name="Storage").locator("tr").last).to_be_in_viewport()
        visit.page.screenshot(path=ARTIFACTS / f"console-phone-{scheme}.png")
