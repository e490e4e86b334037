"""The console in a real browser: a page of it, and messages to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.support import node_project
from tests.support.browser import CHROMIUM_ARGUMENTS, chromium_program
from tests.support.server_process import ServerProcess

PATIENCE = 90_000
"""Milliseconds for a step of the browser: the first one reads all of it from the disk."""

ADD = "mutation($input: AddMemoryInput!) { addMemory(input: $input) { session { messageCount } } }"


class Visit:
    """One page of the browser, with what it asked of other hosts and what it complained of."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.base_url = base_url
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.context.on("request", lambda request: self._note(request.url))
        page.on("websocket", lambda socket: self._note(socket.url.replace("ws:", "http:")))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note_console)

    def _note(self, url: str) -> None:
        if not url.startswith(("data:", "blob:", self.base_url)):
            self.elsewhere.append(url)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def open(self, view: str = "") -> None:
        self.page.goto(f"{self.base_url}/console#/{view}")

    def violations(self) -> list[dict[str, Any]]:
        """What axe finds wrong with the page's accessibility."""
        self.page.evaluate((node_project.NODE / "node_modules" / "axe-core" / "axe.min.js").read_text())
        found: list[dict[str, Any]] = self.page.evaluate("axe.run().then(({ violations }) => violations)")
        return [{"id": one["id"], "html": [node["html"] for node in one["nodes"]]} for one in found]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with patience, for the length of a block."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program(), headless=True, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Browser, url: str) -> Iterator[Visit]:
    """A wide page for the length of a block, which asks nothing of other hosts."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        visit = Visit(context.new_page(), url)
        yield visit
        assert visit.elsewhere == []


def add(server: ServerProcess, session_id: str, *messages: dict[str, Any], **more: Any) -> None:
    """Store messages in a session."""
    server.graphql(ADD, input={"sessionId": session_id, "messages": list(messages), **more})


def said(content: str, role: str = "user") -> dict[str, Any]:
    """A message with a content."""
    return {"role": role, "content": content}
