"""The chat page of the examples in a real browser: at the end, it shows what the server has."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import Browser, Page
from playwright.async_api import Error as BrowserError

from tests.support.access import SECRET
from tests.support.browser import chromium
from tests.support.chat_page import CHAT, built_page
from tests.support.cuts import Cuts, cuts_before
from tests.support.graphql_client import ADD
from tests.support.node_project import NODE
from tests.support.server_process import ServerProcess, clean_environment
from tests.support.tcp import free_port

ACTIONS = 200
PATIENCE = 90.0
"""Seconds until everything has come, above the stream time-out and the start of a server."""
STREAM_TIMEOUT = "2"

ROWS = """() => [...document.querySelectorAll('section li:not(.sending)')].map((row) => ({
    seq: Number(row.dataset.seq), status: row.dataset.status, enrichment: row.dataset.enrichment,
    content: row.querySelector('p')?.textContent,
    marks: [...row.querySelectorAll('mark')].map((mark) => [mark.title, mark.textContent]),
}))"""
LIST = """() => [...document.querySelectorAll('nav li')].map((row) => ({
    id: row.dataset.session, unread: Number(row.dataset.unread), last: Number(row.dataset.last ?? 0),
    title: row.querySelector('button').textContent,
}))"""
CLICK = """([selector, part]) => {
    const buttons = [...document.querySelectorAll(selector)];
    const button = buttons[Math.floor(part * buttons.length)];
    button?.click();
    const row = button?.closest('li');
    return row ? { session: row.dataset.session, content: row.querySelector('p')?.textContent } : null;
}"""
OPENED = "() => document.querySelector('[aria-current=true]')?.closest('li').dataset.session"

LONG = "a history of several pages"
LINE = {"role": "user", "content": "Ada Lovelace wrote to Charles Babbage."}

STORED = """
query Stored($userId: ID!) {
  sessions(first: 100, filter: { userId: $userId }, orderBy: { field: UPDATED_AT, direction: DESC }) {
    edges { node { sessionId title unreadCount lastMessage { seq } } }
  }
}
"""
MESSAGES = """
query Messages($sessionId: ID!) {
  session(sessionId: $sessionId) {
    messages(first: 400) {
      edges {
        node { seq status content enrichment { state } entities(first: 10) { label matches(first: 3) { start end } } }
      }
    }
  }
}
"""


@dataclass
class Service:
    """The server behind a proxy that cuts its connections, and the backend of the page."""

    server: ServerProcess
    cuts: Cuts
    key: str
    page: str
    data: Path
    environment: dict[str, str]

    async def ask(self, query: str, **variables: Any) -> Any:
        async with httpx.AsyncClient(timeout=60) as http:
            headers = {"authorization": f"Bearer {self.key}"}
            body = {"query": query, "variables": variables}
            answer = (await http.post(f"{self.server.url}/graphql", json=body, headers=headers)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def sessions(self, user: str) -> list[dict[str, Any]]:
        listed = await self.ask(STORED, userId=user)
        return [
            {
                "id": node["sessionId"],
                "unread": node["unreadCount"],
                "last": (node["lastMessage"] or {"seq": 0})["seq"],
                "title": node["title"] or "New chat",
            }
            for node in (edge["node"] for edge in listed["sessions"]["edges"])
        ]

    async def messages(self, session_id: str) -> list[dict[str, Any]]:
        found = (await self.ask(MESSAGES, sessionId=session_id))["session"]
        return [row_of(edge["node"]) for edge in found["messages"]["edges"]] if found else []


def row_of(message: dict[str, Any]) -> dict[str, Any]:
    """How the page is to show a stored message: each mark, unless it begins within the one before."""
    content = message["content"]
    found = [(match["start"], match["end"], one["label"]) for one in message["entities"] for match in one["matches"]]
    marks, last = [], 0
    for start, end, label in sorted(found, key=lambda match: match[0]):
        if start >= last:
            marks.append([label, content[start:end]])
            last = end
    state = message["enrichment"]["state"]
    return {
        "seq": message["seq"],
        "status": message["status"],
        "enrichment": state,
        "content": content,
        "marks": marks,
    }


@asynccontextmanager
async def running(folder: Path, page: Path) -> AsyncIterator[Service]:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    environment = {
        "RECALLQL_JWT_SECRET": SECRET,
        "RECALLQL_ALLOWED_ORIGINS": origin,
        "RECALLQL_STREAM_TIMEOUT": STREAM_TIMEOUT,
    }
    data = folder / "data"
    server = await asyncio.to_thread(lambda: ServerProcess(data, **environment))
    async with AsyncExitStack() as stack:
        cuts = await stack.enter_async_context(cuts_before(port_of(server)))
        command = [sys.executable, "-m", "graph", "key", "create", "chat", "--data-dir", str(data)]
        made = await asyncio.to_thread(subprocess.check_output, command, text=True, env=clean_environment())
        service = Service(server, cuts, re.findall(r"rql_\S+", made)[0], origin, data, environment)
        variables = {"RECALLQL_URL": cuts.url, "RECALLQL_KEY": service.key, "RECALLQL_JWT_SECRET": SECRET}
        program = (sys.executable, str(CHAT / "backend.py"), "--port", str(port), "--page", str(page))
        backend = await asyncio.create_subprocess_exec(*program, env={**os.environ, **variables})
        try:
            await until(lambda: answers(origin))
            yield service
        finally:
            backend.terminate()
            await backend.wait()
            await asyncio.to_thread(service.server.stop)


async def answers(url: str) -> bool:
    async with httpx.AsyncClient() as http:
        with suppress(httpx.ConnectError):
            return (await http.get(url)).status_code == 200
    return False


def port_of(server: ServerProcess) -> int:
    return int(server.url.rpartition(":")[2])


async def restart(service: Service) -> None:
    """End the server, and start it again on another port, which only the proxy knows."""
    service.cuts.cut()
    await asyncio.to_thread(service.server.stop)
    service.server = await asyncio.to_thread(lambda: ServerProcess(service.data, **service.environment))
    service.cuts.port = port_of(service.server)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - of the server and of the browser
            await asyncio.sleep(0.2)


async def same(read: Callable[[], Awaitable[Any]], expected: Callable[[], Awaitable[Any]]) -> None:
    """Wait until both are equal; the difference, if they do not become so."""
    seen: tuple[Any, Any] = (None, True)

    async def are_equal() -> bool:
        nonlocal seen
        seen = await read(), await expected()
        return bool(seen[0] == seen[1])

    with suppress(TimeoutError):
        await until(are_equal)
    assert seen[0] == seen[1]


@dataclass
class Tab:
    """A page of a user, who acts at random."""

    user: str
    page: Page
    random: random.Random
    texts: dict[str, str] = field(default_factory=dict)
    """The session of each text that was sent."""
    changed: set[tuple[str, str]] = field(default_factory=set)
    """Sessions with texts that were edited or deleted there."""
    deleted: set[str] = field(default_factory=set)
    """Sessions that were deleted; a message that was on its way may make one of them again."""
    errors: list[str] = field(default_factory=list)
    """Refusals of what the page sent."""

    async def click(self, selector: str) -> dict[str, str] | None:
        found: dict[str, str] | None = await self.page.evaluate(CLICK, [selector, self.random.random()])
        return found

    async def opened(self) -> str | None:
        session: str | None = await self.page.evaluate(OPENED)
        return session

    async def write(self, label: str, text: str) -> None:
        line = self.page.get_by_label(label, exact=True).first
        await line.fill(text, timeout=2_000)
        await line.press("Enter", timeout=2_000)

    async def act(self) -> None:
        """Do something. A conversation is begun or opened first."""
        actions: list[Callable[[str], Awaitable[None]]] = [
            self.send,
            self.edit,
            self.delete,
            self.fork,
            self.load_older,
            self.open,
            self.create,
            self.delete_session,
        ]
        (action,) = self.random.choices(actions, [9, 3, 2, 1, 1, 4, 1, 0.4])
        session = await self.opened()
        if session is None and action != self.open:
            action = self.create
        await action(session or "")

    async def send(self, session: str) -> None:
        text = f"🐈 Clara {uuid4().hex[:8]} met Grace Hopper in Paris"
        await self.write("Message", text)
        # A fork that is ready opens its session, where the line is empty again.
        if await self.page.locator("section li", has_text=text).count() and await self.opened() == session:
            self.texts[text] = session

    async def edit(self, session: str) -> None:
        if row := await self.click("section li.user > button:nth-of-type(1)"):
            self.changed.add((session, row["content"]))
            await self.write("Edited message", f"🐈🐈 Rosa Parks wrote {uuid4().hex[:8]} in London")

    async def delete(self, session: str) -> None:
        if row := await self.click("section li.user > button:nth-of-type(2)"):
            self.changed.add((session, row["content"]))

    async def fork(self, _session: str) -> None:
        await self.click("section li.user > button:nth-of-type(3)")

    async def load_older(self, _session: str) -> None:
        await self.click("section > button")

    async def open(self, _session: str) -> None:
        await self.click("nav li button:first-child")

    async def create(self, _session: str) -> None:
        await self.click("nav > button")

    async def delete_session(self, _session: str) -> None:
        if row := await self.click("nav li button:last-child"):
            self.deleted.add(row["session"])


async def signed_in(browser: Browser, service: Service, user: str, seed: int) -> Tab:
    context = await browser.new_context()
    page = await context.new_page()
    page.set_default_timeout(60_000)
    await page.goto(service.page)
    await page.get_by_role("button", name=f"Sign in as {user}").click()
    await page.locator("nav[aria-busy=false]").wait_for()
    tab = Tab(user, page, random.Random(seed))
    page.on("pageerror", lambda error: tab.errors.append(str(error)))
    page.on("console", lambda line: tab.errors.append(line.text) if "GraphQLErrors" in line.text else None)
    return tab


def test_the_page_is_built_with_the_versions_that_it_names() -> None:
    """The tests build it with the packages of their own project."""
    package = json.loads((CHAT / "package.json").read_text(encoding="utf-8"))
    here = json.loads((NODE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {name: here[name] for name in package["dependencies"] | package["devDependencies"]} == (
        package["dependencies"] | package["devDependencies"]
    )


@pytest.mark.slow
@pytest.mark.timeout(1_200)
async def test_the_page_shows_what_the_server_has_after_random_actions(tmp_path: Path) -> None:
    async with built_page() as page, running(tmp_path, page) as service, chromium() as browser:
        await service.ask(ADD, input={"sessionId": LONG, "userId": "ada", "messages": [LINE] * 50})
        tabs = [await signed_in(browser, service, user, seed) for seed, user in enumerate(("ada", "ada", "bob"))]
        chance = random.Random(7)
        for number in range(ACTIONS):
            tab = chance.choice(tabs)
            with suppress(BrowserError):  # a row that another tab deleted meanwhile
                await tab.act()
            if number == ACTIONS // 2:
                await restart(service)
            elif chance.random() < 0.1:
                service.cuts.cut()
            elif chance.random() < 0.1:
                service.cuts.answers_to_lose += 1
            await asyncio.sleep(chance.random() * 0.2)
        for tab in tabs:
            await shows_what_is_stored(tab, service)
        await nothing_is_lost_or_doubled(tabs, service)


async def shows_what_is_stored(tab: Tab, service: Service) -> None:
    page = tab.page
    await until(lambda: none_is_sent(page))
    assert await service.sessions(tab.user)
    await same(lambda: page.evaluate(LIST), lambda: service.sessions(tab.user))
    for session in await service.sessions(tab.user):
        await page.locator(f"[data-session='{session['id']}'] button").first.click()
        await page.locator("section[aria-busy=false]").wait_for()

        async def rows() -> Any:
            await tab.click("section > button")  # older messages, if there are
            return await page.evaluate(ROWS)

        await same(rows, partial(complete_messages, service, session["id"]))
    await same(lambda: page.evaluate(LIST), lambda: service.sessions(tab.user))


async def none_is_sent(page: Page) -> bool:
    return await page.locator("li.sending").count() == 0


async def complete_messages(service: Service, session_id: str) -> list[dict[str, Any]] | None:
    """The messages of a session; none while one is being written or read for its entities."""
    messages = await service.messages(session_id)
    assert len({message["seq"] for message in messages}) == len(messages)
    return messages if all(one["enrichment"] == "DONE" and one["status"] != "STREAMING" for one in messages) else None


async def nothing_is_lost_or_doubled(tabs: list[Tab], service: Service) -> None:
    assert [error for tab in tabs for error in tab.errors] == []
    changed = {one for tab in tabs for one in tab.changed}
    deleted = {session for tab in tabs for session in tab.deleted}
    stored: dict[str, list[str]] = {}
    for user in ("ada", "bob"):
        for listed in await service.sessions(user):
            stored[listed["id"]] = [message["content"] for message in await service.messages(listed["id"])]
    sent = [(session, text) for tab in tabs for text, session in tab.texts.items()]
    assert len(sent) > ACTIONS // 10
    for session, text in sent:
        for contents in stored.values():
            assert contents.count(text) <= 1, text
        if session not in deleted and (session, text) not in changed:
            assert text in stored[session], text
