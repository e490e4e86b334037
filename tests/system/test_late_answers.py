"""Answers that come after the event of a later change, in a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count, product

import pytest
from playwright.async_api import Browser, Page, Route

from tests.support import server_process
from tests.support.browser import chromium
from tests.support.chat_page import built_page
from tests.support.node_project import NODE
from tests.support.server_process import ServerProcess

PATIENCE = 60
"""Seconds for a step of the browser."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with server_process.served(tmp_path_factory.mktemp("late") / "data") as server:
        yield server


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def state_after_a_late_answer(page: Page, client: str, session_id: str, *, is_safe: bool) -> str | None:
    """What the application sees once the event ENRICHED came, and then the answer of its own mutation.

    None where the mutation was answered after the enrichment: that answer has the newest state.
    """
    answers: list[str] = []

    async def hold_back(route: Route) -> None:
        answer = await route.fetch()
        answers.append(await answer.text())
        await page.wait_for_function("kinds.includes('ENRICHED')", timeout=1_000 * PATIENCE)
        await route.fulfill(response=answer)

    await page.route("**/graphql", hold_back)
    await asyncio.wait_for(page.evaluate("args => start(...args)", [client, is_safe, session_id]), PATIENCE)
    await asyncio.wait_for(page.evaluate("send().then(() => null)"), PATIENCE)
    return str(await page.evaluate("state()")) if any("PENDING" in answer for answer in answers) else None


async def test_an_answer_that_comes_late_replaces_no_newer_state(server: ServerProcess, browser: Browser) -> None:
    async with built_page(NODE / "late-answers.ts") as folder:
        program = (folder / "late-answers.js").read_text(encoding="utf-8")
    seen: dict[tuple[str, bool], str] = {}
    for client, is_safe in product(("apollo", "urql"), (True, False)):
        for attempt in count():
            async with await browser.new_context(bypass_csp=True) as context:
                page = await context.new_page()
                await page.goto(f"{server.url}/health")  # any page of the origin
                await page.add_script_tag(content=program)
                session_id = f"{client} {is_safe} {attempt}"
                state = await state_after_a_late_answer(page, client, session_id, is_safe=is_safe)
            if state is not None:
                seen[client, is_safe] = state
                break
    assert seen == {
        ("apollo", True): "DONE",
        ("apollo", False): "PENDING",  # so the answers were late
        ("urql", True): "DONE",
        ("urql", False): "PENDING",
    }
