"""The explorer page, in a real browser that reaches no other host."""

import html
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, WebSocket, expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.explorer import (
    EXPLORER_CDN_CSP,
    EXPLORER_CSP,
    explorer_html,
    explorer_is_bundled,
    explorer_response,
    explorer_routes,
)
from tests.support import server_process
from tests.support.browser import CHROMIUM_ARGUMENTS, chromium_program
from tests.support.paths import ROOT
from tests.support.server_process import ServerProcess

ARTIFACTS = ROOT / "test-artifacts"
WEB = ROOT / "graph" / "explorer" / "web"


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="websockets-sansio", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with server_process.served(tmp_path_factory.mktemp("explorer") / "data", "--enrichment-processes", "0") as server:
        yield server


@pytest.fixture(scope="module")
def explorer_server(service: ServerProcess) -> str:
    """The base URL of the whole service."""
    return service.url


@pytest.fixture
def cdn_server() -> Iterator[str]:
    """The base URL of the page as an installation without a bundle serves it."""

    async def page(request: Request) -> Response:
        return explorer_response(source="cdn")

    with serving(Starlette(routes=[*explorer_routes(source="cdn"), Route("/graphql", page)])) as base_url:
        yield base_url


PATIENCE = 90_000
"""Milliseconds for a step of the browser: the first one reads all of it from the disk."""


class Visit:
    """One browser page, and what it did."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        page.set_default_timeout(PATIENCE)
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self.frames_sent: list[str] = []
        self.address = f"{base_url}/graphql"
        self._host = urlsplit(base_url).netloc
        page.context.on("request", lambda request: self._note(request.url))
        page.on("websocket", self._note_websocket)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note_console)

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != self._host:
            self.elsewhere.append(url)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _note_websocket(self, websocket: WebSocket) -> None:
        self._note(websocket.url)
        websocket.on("framesent", lambda frame: self.frames_sent.append(str(frame)))

    def arrive(self) -> None:
        self.page.goto(self.address)
        expect(self.page.locator(".graphiql-query-editor")).to_contain_text("Welcome to RecallQL", timeout=PATIENCE)
        expect(self.page.locator(".graphiql-editor-tool")).to_contain_text('"sessionId": "octavia-', timeout=PATIENCE)

    def run(self) -> None:
        self.page.locator("button.graphiql-execute-button").click()

    def wait_until_kept(self, variables: str, tab: int) -> None:
        """Wait until GraphiQL, which does it half a second later, has kept what is in the open tab, and which it is."""
        kept = "[localStorage['graphiql:variables'], JSON.parse(localStorage['graphiql:tabState']).activeTabIndex]"
        while True:
            found, active = self.page.evaluate(kept)
            if active == tab and variables in (found or ""):
                return
            self.page.wait_for_timeout(50)

    def open_tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def expect_answer(self, text: str) -> None:
        expect(self.page.locator(".result-window")).to_contain_text(text, timeout=PATIENCE)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program(), headless=True, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, explorer_server: str) -> Iterator[Visit]:
    with chromium.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light") as context:
        yield Visit(context.new_page(), explorer_server)


@pytest.fixture
def bundle() -> None:
    if explorer_is_bundled():
        return
    if shutil.which("npm"):
        pytest.fail("The explorer is not bundled, though npm is here: build it with `pip install -e .`.")
    pytest.skip("no npm, so no bundle to test")


@pytest.mark.slow
@pytest.mark.usefixtures("bundle")
def test_a_dash_has_no_box(visit: Visit) -> None:
    query = '{ session(sessionId: "June \u2013 July") { sessionId } }'
    visit.page.goto(f"{visit.address}#{urlencode({'query': query})}")
    editor = visit.page.locator(".graphiql-query-editor")
    expect(editor).to_contain_text("July", timeout=PATIENCE)
    visit.page.wait_for_timeout(3_000)  # Monaco looks for such characters in its worker, after the text is shown
    expect(editor.locator(".unicode-highlight")).to_have_count(0)
    assert visit.complaints == []


@pytest.mark.slow
@pytest.mark.usefixtures("bundle")
def test_first_time_visitor_runs_the_examples_with_no_other_host_in_reach(visit: Visit) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    visit.arrive()
    visit.page.screenshot(path=ARTIFACTS / "explorer-arrival.png")

    visit.run()
    visit.expect_answer('"messageCount": 3')
    visit.page.screenshot(path=ARTIFACTS / "explorer.png")

    visit.open_tab("Memory")
    visit.run()
    visit.expect_answer('"content": "Who was Octavia Butler?"')
    visit.page.screenshot(path=ARTIFACTS / "explorer-memory.png")

    visit.open_tab("MessageAdded")
    visit.run()
    visit.expect_answer('"seq": 3')
    visit.expect_answer('"seq": 1')
    visit.page.screenshot(path=ARTIFACTS / "explorer-subscription.png")

    visit.wait_until_kept('"afterSeq"', 2)
    visit.page.reload()
    expect(visit.page.locator(".graphiql-query-editor")).to_contain_text("sessionId", timeout=PATIENCE)
    visit.open_tab("AddMemory")
    expect(visit.page.locator(".graphiql-editor-tool")).to_contain_text('"sessionId": "octavia-', timeout=PATIENCE)
    expect(visit.page.get_by_role("tab")).to_have_count(3)

    assert visit.elsewhere == []
    assert visit.complaints == []


@pytest.mark.slow
@pytest.mark.usefixtures("bundle")
def test_on_a_phone_the_answer_is_below_the_query_and_as_wide(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    visit.arrive()
    visit.run()
    visit.expect_answer('"messageCount": 3')
    query, answer = (visit.page.locator(name).bounding_box() for name in (".graphiql-editors", ".graphiql-response"))
    assert query is not None
    assert answer is not None
    assert answer["y"] >= query["y"] + query["height"]
    assert answer["width"] > 250
    visit.page.screenshot(path=ARTIFACTS / "explorer-phone.png")


_BEYOND = """(editor) => {
    const end = editor.getBoundingClientRect().right;
    return [...editor.querySelectorAll('.view-line > span')]
        .filter((line) => line.getBoundingClientRect().right > end)
        .map((line) => line.textContent);
}"""


@pytest.mark.slow
@pytest.mark.usefixtures("bundle")
def test_in_a_small_window_the_welcome_is_whole(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 1100, "height": 760})
    visit.arrive()
    editor = visit.page.locator(".graphiql-query-editor")
    expect(editor.locator(".view-line").filter(has_text="Bearer")).to_be_visible()
    comment = [line for line in editor.evaluate(_BEYOND) if line.startswith("#")]
    assert comment == []
    visit.page.screenshot(path=ARTIFACTS / "explorer-1100.png")


@pytest.mark.slow
@pytest.mark.usefixtures("bundle")
def test_the_printed_address_of_the_console_leads_to_the_explorer_and_back(
    visit: Visit, service: ServerProcess
) -> None:
    printed = re.search(r"^  Console +(\S+)$", service.banner, re.MULTILINE)
    assert printed is not None, service.banner
    visit.page.goto(printed[1])
    expect(visit.page.get_by_role("heading", name="Sessions")).to_be_visible(timeout=PATIENCE)
    visit.page.get_by_role("navigation").get_by_role("link", name="Explorer").click()
    expect(visit.page.locator(".graphiql-query-editor")).to_contain_text("Welcome to RecallQL", timeout=PATIENCE)
    visit.page.get_by_role("link", name="RecallQL", exact=True).click()
    expect(visit.page.get_by_role("heading", name="Sessions")).to_be_visible(timeout=PATIENCE)
    assert visit.page.url.startswith(printed[1])
    printed_explorer = re.search(r"^  Explorer +(\S+) ", service.banner, re.MULTILINE)
    assert printed_explorer is not None, service.banner
    visit.page.goto(printed_explorer[1])
    expect(visit.page.locator(".graphiql-query-editor")).to_be_visible(timeout=PATIENCE)
    assert visit.elsewhere == []
    assert visit.complaints == []


@pytest.mark.usefixtures("bundle")
def test_token_of_the_headers_editor_goes_with_queries_and_subscriptions(visit: Visit) -> None:
    visit.arrive()
    visit.open_tab("MessageAdded")
    expect(visit.page.locator(".graphiql-editor-tool")).to_contain_text('"afterSeq": 0')
    visit.page.get_by_role("button", name="Headers", exact=True).click()
    visit.page.locator(".graphiql-editor-tool .graphiql-editor:visible").click()
    visit.page.keyboard.insert_text('{"Authorization": "Bearer my-token"}')

    visit.run()
    while not visit.frames_sent:
        visit.page.wait_for_timeout(50)
    assert json.loads(visit.frames_sent[0]) == {
        "type": "connection_init",
        "payload": {"authorization": "Bearer my-token"},
    }

    visit.open_tab("Memory")
    with visit.page.expect_request(visit.address) as query:
        visit.run()
    assert query.value.header_value("authorization") == "Bearer my-token"

    with visit.page.expect_request(visit.address) as introspection:
        visit.page.get_by_role("button", name="Re-fetch GraphQL schema").click()
    assert introspection.value.header_value("authorization") == "Bearer my-token"


@pytest.mark.usefixtures("bundle")
def test_bundle_is_cached_for_good_and_the_page_never(explorer_server: str) -> None:
    page = httpx.get(f"{explorer_server}/graphql", headers={"accept": "text/html"}, timeout=60)
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["content-security-policy"] == EXPLORER_CSP
    assert "unsafe-eval" not in EXPLORER_CSP

    addresses = re.findall(r'(?:src|href)="(graphql/assets/[^"]+)"', page.text)
    assert len(addresses) >= 2
    for address in addresses:
        asset = httpx.get(f"{explorer_server}/{address}", timeout=60)
        assert asset.status_code == 200
        assert "immutable" in asset.headers["cache-control"]
    missing = httpx.get(f"{explorer_server}/graphql/assets/missing.js", timeout=60)
    assert missing.status_code == 404
    assert "immutable" not in missing.headers.get("cache-control", "")


def test_each_page_view_gets_a_session_of_its_own() -> None:
    first, second = explorer_html(), explorer_html()
    assert first != second
    assert "</script" not in config_text(explorer_html(session_id="</script>"))


def config_text(page: str) -> str:
    start = page.index('id="explorer-config">') + len('id="explorer-config">')
    return page[start : page.rindex("</script>")]


def test_without_a_bundle_the_page_pins_every_package_of_the_cdn() -> None:
    page = html.unescape(explorer_html(source="cdn"))
    pinned = json.loads((WEB / "package.json").read_text())["dependencies"]
    addresses = re.findall(r"https://esm\.sh/[^\"<]+", page)
    assert {match[1] for url in addresses if (match := re.match(r"https://esm\.sh/(@?[^@]+)@", url))} == set(pinned)
    for url in addresses:
        name, version = re.findall(r"https://esm\.sh/(@?[^@]+)@([0-9.]+[0-9])", url)[0]
        assert pinned[name] == version


def test_without_a_bundle_the_policy_lets_in_the_cdn_alone(chromium: Browser, cdn_server: str) -> None:
    with chromium.new_context() as context:
        visit = Visit(context.new_page(), cdn_server)
        visit.page.goto(visit.address)
        expect(visit.page.get_by_text("built without npm")).to_be_visible()
        visit.page.wait_for_load_state("networkidle")
    # Out of reach here: what the browser asked for shows that the policy, the import map included, let it ask.
    assert {urlsplit(url).netloc for url in visit.elsewhere} == {"esm.sh"}
    assert any(url.startswith("https://esm.sh/monaco-editor@") for url in visit.elsewhere)
    assert not [text for text in visit.complaints if "Content Security Policy" in text]
    assert "unsafe-eval" not in EXPLORER_CDN_CSP


@pytest.mark.parametrize("page", ["explorer", "console"])
def test_lock_file_names_no_registry_and_matches_the_pinned_versions(page: str) -> None:
    web = ROOT / "graph" / page / "web"
    lock = json.loads((web / "package-lock.json").read_text())
    package = json.loads((web / "package.json").read_text())
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]
    for name, version in (package["dependencies"] | package["devDependencies"]).items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
