"""The console, in a real browser that reaches no other host, against the whole service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from graph.console import CONSOLE_CSP, console_is_bundled
from tests.support import node_project, server_process
from tests.support.access import SECRET, token
from tests.support.console import ADD, PATIENCE, Visit, add, chromium, said, visiting
from tests.support.paths import ROOT
from tests.support.server_process import ServerProcess, until

ARTIFACTS = ROOT / "test-artifacts"
WEB = ROOT / "graph" / "console" / "web"
HOSTILE = [
    "<script>window.hostile = 1</script>",
    "<img src=x onerror='window.hostile = 1'>",
    "[a link](javascript:window.hostile=1)",
    "![an image](https://elsewhere.test/pixel.png)",
    "<iframe srcdoc='<script>parent.hostile = 1</script>'></iframe>",
    "<svg onload='window.hostile = 1'></svg>",
    "[x]: data:text/html,<script>window.hostile=1</script>\n\n[x]",
    "`</script><script>window.hostile = 1</script>`",
]


@pytest.fixture(scope="module", autouse=True)
def bundle() -> None:
    if console_is_bundled():
        return
    if shutil.which("npm"):
        pytest.fail("The console is not bundled, though npm is here: build it with `pip install -e .`.")
    pytest.skip("no npm, so no bundle to test")


@pytest.fixture(scope="module", autouse=True)
def artifacts() -> None:
    ARTIFACTS.mkdir(exist_ok=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with server_process.served(tmp_path_factory.mktemp("console") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, server: ServerProcess) -> Iterator[Visit]:
    with visiting(browser, server.url) as visit:
        yield visit


@pytest.mark.slow
def test_the_list_of_sessions_shows_what_others_write_and_delete(visit: Visit, server: ServerProcess) -> None:
    add(server, "first", said("Where does Octavia live?"), userId="ada")
    visit.open()
    row = visit.page.locator("a.session")
    expect(row.filter(has_text="Where does Octavia live?")).to_be_visible(timeout=PATIENCE)
    add(server, "second", said("A session of somebody else"))
    expect(row.first).to_contain_text("A session of somebody else")
    add(server, "first", said("In Pasadena.", "assistant"))
    expect(row.first).to_contain_text("assistant: In Pasadena.")
    expect(row.first).to_contain_text("2 messages")
    visit.page.get_by_role("searchbox", name="User").fill("ada")
    visit.page.keyboard.press("Enter")
    expect(row.filter(has_text="A session of somebody else")).to_have_count(0)
    expect(row.first).to_contain_text("In Pasadena.")
    visit.open()
    expect(row.filter(has_text="A session of somebody else")).to_be_visible()
    visit.page.get_by_role("searchbox", name="Text").fill("Where does Octavia live")
    visit.page.get_by_role("button", name="Filter").click()
    expect(row).to_have_count(1)
    expect(row).to_contain_text("user: Where does Octavia live?")
    visit.open("sessions?metadata=plan.name%3Dpro&since=2020-01-01")
    expect(row).to_have_count(0)
    expect(visit.page.get_by_text("No session meets the filter.")).to_be_visible()
    add(server, "third", said("Of a customer"), metadata={"plan": {"name": "pro"}})
    expect(row).to_have_count(1)
    visit.open("sessions?until=2020-01-01")
    expect(visit.page.get_by_text("No session meets the filter.")).to_be_visible()
    visit.open()
    server.graphql('mutation { deleteSession(input: { sessionId: "second" }) { deletedId } }')
    expect(row.filter(has_text="A session of somebody else")).to_have_count(0)
    assert visit.complaints == []


@pytest.mark.slow
def test_a_conversation_is_shown_changed_and_followed(visit: Visit, server: ServerProcess) -> None:
    parts = [
        {"type": "text", "text": "It is **warm** there."},
        {"type": "tool-call", "toolName": "weather", "input": {"place": "Pasadena"}},
    ]
    messages = [said("🌍 Octavia Butler was born in Pasadena."), {"role": "assistant", "parts": parts}]
    add(server, "chat", *messages, awaitEntities=True)
    visit.open("sessions/chat")
    message = visit.page.locator("article.message")
    expect(message).to_have_count(2)
    expect(message.nth(0).locator("mark.entity").filter(has_text=re.compile("^Octavia Butler$"))).to_be_visible()
    expect(message.nth(1).locator("strong", has_text="warm")).to_be_visible()
    message.nth(1).locator("summary").click()
    expect(message.nth(1).locator("details pre")).to_contain_text('"place": "Pasadena"')

    change = "mutation($input: UpdateSessionInput!) { updateSession(input: $input) { session { title } } }"
    server.graphql(change, input={"sessionId": "chat", "title": "About Octavia Butler"})
    expect(visit.page.get_by_role("heading", name="About Octavia Butler")).to_be_visible()
    add(server, "chat", said("Written by another client"))
    expect(message.nth(2)).to_contain_text("Written by another client")
    message.nth(2).get_by_role("button", name="Edit").click()
    visit.page.get_by_role("textbox", name="Content of message 3").fill("Written again")
    visit.page.get_by_role("button", name="Save").click()
    expect(message.nth(2)).to_contain_text("Written again")
    visit.page.on("dialog", lambda dialog: dialog.accept())
    message.nth(2).get_by_role("button", name="Delete").click()
    expect(message).to_have_count(2)
    stored = server.graphql('{ session(sessionId: "chat") { messages { edges { node { seq content } } } } }')
    assert [edge["node"]["seq"] for edge in stored["session"]["messages"]["edges"]] == [1, 2]

    visit.page.get_by_role("list", name="Entities of the session").get_by_role("link", name="Octavia Butler").click()
    expect(visit.page.get_by_role("heading", name="Octavia Butler")).to_be_visible()
    expect(visit.page.get_by_role("list", name="Messages").get_by_role("listitem")).to_have_count(1)
    visit.page.get_by_role("list", name="Messages").get_by_role("link", name="#1").click()
    expect(visit.page.locator("article[data-target]")).to_contain_text("was born in Pasadena")

    message.nth(0).get_by_role("button", name="Fork here").click()
    expect(visit.page.locator("p.facts")).to_contain_text("forked from chat at #1")
    expect(message).to_have_count(1)
    assert visit.complaints == []


@pytest.mark.slow
def test_an_answer_that_is_being_written_grows(visit: Visit, server: ServerProcess) -> None:
    uuid = str(uuid4())
    start = "mutation($input: StartMessageInput!) { startMessage(input: $input) { message { seq } } }"
    append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { nextIndex } }"
    add(server, "streamed", said("Where was Octavia Butler born?"))
    visit.open("sessions/streamed")
    message = visit.page.locator("article.message")
    expect(message).to_have_count(1)
    server.graphql(start, input={"sessionId": "streamed", "role": "assistant", "uuid": uuid})
    for index, (text, shown) in enumerate(
        [("She was **born", "She was"), ("** in", "She was born in"), (" Pasadena", "Pasadena")]
    ):
        server.graphql(append, input={"uuid": uuid, "pieces": [{"index": index, "text": text}]})
        expect(message.nth(1)).to_contain_text(shown)
        expect(message.nth(1)).to_contain_text("streaming")
    expect(message.nth(1).locator("strong", has_text="born")).to_be_visible()
    visit.page.reload()
    expect(message.nth(1)).to_contain_text("She was born in Pasadena")
    finish = "mutation($input: FinishMessageInput!) { finishMessage(input: $input) { message { seq } } }"
    server.graphql(finish, input={"uuid": uuid, "content": "She was born in Pasadena, California."})
    expect(message.nth(1)).to_contain_text("Pasadena, California.")
    expect(message.nth(1)).not_to_contain_text("streaming")
    assert visit.complaints == []


@pytest.mark.slow
def test_a_message_is_shown_as_json_with_its_query_which_the_explorer_runs(visit: Visit, server: ServerProcess) -> None:
    add(server, "raw", said("A message as JSON"), awaitEntities=True)
    visit.open("sessions/raw")
    visit.page.locator("footer").get_by_role("button", name="JSON").click()
    shown = visit.page.get_by_label("Message 1 as JSON").inner_text()
    query = visit.page.get_by_label("Query for message 1").inner_text()
    message = json.loads(shown)
    assert message["content"] == "A message as JSON"
    assert server.graphql(query, uuid=message["uuid"])["message"] == message
    for _ in range(2):  # on a first visit, and where there are tabs
        with visit.page.expect_popup() as opened:
            visit.page.get_by_role("link", name="Open in the explorer").click()
        explorer = opened.value
        expect(explorer.locator(".graphiql-query-editor")).to_contain_text("query Message")
        explorer.locator("button.graphiql-execute-button").click()
        expect(explorer.locator(".result-window")).to_contain_text("A message as JSON")
        assert "#" not in explorer.url
        explorer.close()


@pytest.mark.slow
def test_the_history_of_a_long_conversation_is_read_as_it_is_scrolled_to(visit: Visit, server: ServerProcess) -> None:
    add(server, "long", *[said(f"message number {number} of many") for number in range(1, 301)])
    visit.open("sessions/long?seq=120")
    target = visit.page.locator("article[data-target]")
    expect(target).to_contain_text("message number 120 of many")
    visit.open("sessions/first")
    visit.open("sessions/long")
    expect(visit.page.locator("article.message").get_by_text("message number 300 of many")).to_be_visible()
    for _ in range(60):
        visit.page.mouse.move(700, 600)
        visit.page.mouse.wheel(0, -3_000)
        visit.page.wait_for_timeout(50)
    expect(visit.page.locator("article.message").get_by_text("message number 1 of many", exact=True)).to_be_visible()
    assert visit.page.locator("article.message").count() < 100
    # The worker of a busy machine takes longer than a page waits.
    summaries = '{ session(sessionId: "long") { summaries(first: 1) { edges { node { uuid } } } } }'
    until(lambda: server.graphql(summaries)["session"]["summaries"]["edges"], 150)
    rail = visit.page.get_by_role("complementary", name="Summaries")
    covered = rail.get_by_role("listitem").first  # later ones still come
    covered.locator("summary").click()
    first_seq = str(covered.locator("summary").inner_text()).partition(" ")[0]
    covered.get_by_role("button", name="Show its messages").click()
    expect(visit.page.locator("article[data-target]").get_by_text(first_seq, exact=True)).to_be_visible()
    expect(covered.locator("[aria-current=true]")).to_be_visible()


@pytest.mark.slow
def test_nothing_that_is_stored_becomes_markup_or_a_script(visit: Visit, server: ServerProcess) -> None:
    session_id, user_id = "<b>hostile</b>&\"'", HOSTILE[1]
    for text in HOSTILE:
        parts = [{"type": "text", "text": text}, {"type": text, "toolName": text, "input": {text: text}}]
        messages = [{**said(text), "name": text}, {"role": "assistant", "parts": parts}, said(f"Octavia Butler {text}")]
        add(server, session_id, *messages, metadata={text: text}, userId=user_id, awaitEntities=True)
    server.graphql(
        "mutation($input: UpdateSessionInput!) { updateSession(input: $input) { session { title } } }",
        input={"sessionId": session_id, "title": HOSTILE[0], "metadata": {HOSTILE[0]: HOSTILE[1]}},
    )
    server.graphql(
        "mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { userId } } }",
        input={
            "userId": user_id,
            "email": HOSTILE[0],
            "firstName": HOSTILE[5],
            "lastName": HOSTILE[4],
            "metadata": {HOSTILE[0]: HOSTILE[1]},
        },
    )
    summaries = "query($id: ID!) { session(sessionId: $id) { summaries(last: 1) { edges { node { content } } } } }"
    until(lambda: bool(server.graphql(summaries, id=session_id)["session"]["summaries"]["edges"]))

    def check() -> None:
        expect(visit.page.get_by_role("status").filter(has_text="Loading…")).to_have_count(0)
        assert visit.page.evaluate("window.hostile") is None
        assert visit.page.locator("#console :is(script, img, iframe, object, embed)").count() == 0
        assert visit.page.locator("#console a[href^='javascript:'], #console a[href^='data:']").count() == 0

    visit.open()
    expect(visit.page.get_by_text(HOSTILE[0]).first).to_be_visible(timeout=PATIENCE)
    check()
    visit.page.locator("a.session", has_text=HOSTILE[0]).click()
    message = visit.page.locator("article.message")
    expect(message.last).to_be_visible()
    expect(visit.page.locator(".rail")).to_be_visible()
    for _ in range(3 * len(HOSTILE)):
        visit.page.evaluate(
            "document.querySelectorAll('article.message details').forEach(part => { part.open = true })"
        )
        check()
        visit.page.mouse.wheel(0, -400)
        visit.page.wait_for_timeout(50)
    entities = visit.page.get_by_role("list", name="Entities of the session").get_by_role("link")
    entities.filter(has_text="<script>").first.click()
    expect(visit.page.get_by_role("list", name="Messages").get_by_role("listitem").first).to_be_visible()
    check()
    visit.open(f"users/{quote(user_id, safe='')}")
    expect(visit.page.get_by_role("heading", name=HOSTILE[5])).to_be_visible()
    check()
    visit.open(f"recall?query=hostile&session={quote(session_id)}")
    expect(visit.page.locator("ol.results li").first).to_be_visible()
    check()
    visit.open(f"recall?query=hostile&session={quote(session_id)}&show=context")
    expect(visit.page.locator("main")).to_contain_text("window.hostile")
    check()
    assert visit.complaints == []


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


@pytest.mark.slow
def test_with_authentication_the_console_asks_for_a_key(browser: Browser, tmp_path: Path) -> None:
    data = tmp_path / "data"
    flags = ["--enrichment-processes", "0"]
    with (
        server_process.served(data, *flags, RECALLQL_AUTH="required") as server,
        browser.new_context() as context,
    ):
        visit = Visit(context.new_page(), server.url)
        visit.open()
        field = visit.page.get_by_label("Service key or JWT")
        expect(field).to_be_visible()
        assert visit.violations() == []
        field.fill("wrong")
        button = visit.page.locator("form").get_by_role("button", name="Sign in")
        button.click()
        expect(field).to_have_value("")
        key = subprocess.run(
            [sys.executable, "-m", "graph", "key", "create", "console", "--data-dir", str(data)],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env=server_process.clean_environment(),
        ).stdout.strip()
        field.fill(key.splitlines()[-1])
        button.click()
        sample = visit.page.get_by_role("button", name="Add the sample conversation")
        sample.click()
        expect(visit.page.locator("article.message")).to_have_count(4)
        assert (
            visit.page.evaluate("JSON.stringify([...Object.values(sessionStorage), ...Object.values(localStorage)])")
            == "[]"
        )
        visit.page.reload()
        expect(field).to_be_visible()


def test_an_end_user_sees_what_is_theirs_until_the_tab_is_closed(browser: Browser, tmp_path: Path) -> None:
    flags = ["--enrichment-processes", "0"]
    with server_process.served(tmp_path / "data", *flags, RECALLQL_JWT_SECRET=SECRET) as server:
        for user_id, text in (("ada", "A session of Ada"), ("bob", "A session of Bob")):
            headers = {"Authorization": f"Bearer {token(user_id)}"}
            variables = {"input": {"sessionId": f"of-{user_id}", "messages": [said(text)]}}
            answer = httpx.post(
                f"{server.url}/graphql", json={"query": ADD, "variables": variables}, headers=headers, timeout=60
            )
            assert "errors" not in answer.json(), answer.text
        with browser.new_context() as context:
            visit = Visit(context.new_page(), server.url)
            visit.open()
            visit.page.get_by_label("Service key or JWT").fill(token("ada"))
            visit.page.get_by_label("Keep it until this tab is closed").check()
            visit.page.locator("form").get_by_role("button", name="Sign in").click()
            expect(visit.page.locator("a.session")).to_contain_text("A session of Ada")
            visit.page.reload()
            expect(visit.page.locator("a.session")).to_contain_text("A session of Ada")
            visit.open("sessions/of-bob")
            expect(visit.page.locator("main")).to_contain_text("your credentials do not show it")
            another = Visit(context.new_page(), server.url)
            another.open()
            expect(another.page.get_by_label("Service key or JWT")).to_be_visible()


def test_the_page_and_its_assets_have_their_headers(server: ServerProcess) -> None:
    page = httpx.get(f"{server.url}/console", timeout=60)
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["content-security-policy"] == CONSOLE_CSP
    assert "unsafe" not in CONSOLE_CSP
    addresses = re.findall(r'(?:src|href)="(console/assets/[^"]+)"', page.text)
    assert len(addresses) == 2
    for address in addresses:
        asset = httpx.get(f"{server.url}/{address}", timeout=60)
        assert asset.status_code == 200
        assert "immutable" in asset.headers["cache-control"]
    assert httpx.get(f"{server.url}/console/assets/missing.js", timeout=60).status_code == 404


def run(command: list[str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_typed_documents_are_those_of_the_schema_and_compile(tmp_path: Path) -> None:
    node_project.install()
    run(["node", "console.mjs", str(tmp_path / "gql")], node_project.NODE)
    for path in sorted((WEB / "src" / "gql").iterdir()):
        assert (tmp_path / "gql" / path.name).read_text() == path.read_text(), "run node tests/support/node/console.mjs"
    web = tmp_path / "web"
    shutil.copytree(WEB, web, ignore=shutil.ignore_patterns("node_modules"))
    run(["npm", "ci", "--ignore-scripts"], web)
    run(["npm", "run", "check"], web)
