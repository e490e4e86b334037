"""The transport for the AI SDK's chats, as npm packs it, in Node.js and in Chromium against a running server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from graph.settings import Settings
from graph.store.database import Database
from tests.support.client_page import PATIENCE, chat_page
from tests.support.cuts import cuts_before
from tests.support.graphql_client import Client
from tests.support.node_project import USER, install_packed, run_script
from tests.support.server_process import served

ANSWERED = "It is \n\0 a cat: 🐈 \n\nSunny."
"""The text of the answer with every kind of chunk: the line breaks are those between its parts."""


@pytest.fixture(scope="module", autouse=True)
def packed() -> None:
    install_packed()


@pytest.mark.parametrize(
    ("scenario", "printed"),
    [
        ("exact", {"count": 4, "statuses": ["COMPLETE"] * 4, "text": ANSWERED, "last": 1}),
        ("rest", 42),
        ("follow", True),
        ("slow", True),
        ("late", True),
        ("stale", True),
        (
            "branches",
            {
                "path": ["ONE", "answer 4"],
                "all": ["one", "answer 0", "two", "answer 1", "answer 2", "TWO", "answer 3", "ONE", "answer 4"],
            },
        ),
        ("tools", [2, ["Where am I?", "I look.", "You are in Kyōto."]]),
        ("stop", ["ABORTED", True]),
        ("gone", 14),
        ("large", ["COMPLETE", "error", "BadUserInput"]),
        ("partial", [1, 6]),
        ("endpoint", [True, ["COMPLETE", "COMPLETE"]]),
        (
            "failure",
            {
                "error": "the model is away",
                "stored": "as ",
                "status": "ABORTED",
                "refused": ["no answer", ["user"]],
            },
        ),
        (
            "forged",
            [
                ["Conflict"] * 7,
                ["user: hello", "user: hello", "assistant: yes"],
                1,
                ["system: hello", "user: hello", "assistant: yes"],
            ],
        ),
        ("twice", [1, ["one", "yes"]]),
        ("again", ["one", "yes", "two", "yes"]),
        ("foreign", [["assistant", [{"type": "text", "text": "It streams.", "state": "done"}], True]] * 2),
        ("early", ["the model is away", [["Tell", "COMPLETE"], ["as ", "ABORTED"]]]),
    ],
)
async def test_a_chat_is_stored_and_followed(client: Client, scenario: str, printed: Any) -> None:
    assert await run_script("ai.mjs", str(client.http.base_url), scenario, home=USER) == printed


async def test_an_answer_is_followed_over_cuts(client: Client) -> None:
    port = client.http.base_url.port
    assert port is not None
    async with cuts_before(port) as cuts:
        following = asyncio.ensure_future(run_script("ai.mjs", cuts.url, "follow", home=USER))
        for count in range(8):
            await asyncio.sleep(0.1)
            await cuts.answer()  # clients that get nothing between cuts wait longer after each
            cuts.cut()
            cuts.answers_to_lose = count % 2
        assert not following.done()
        assert await following is True


@pytest.mark.slow
async def test_a_killed_writer_leaves_what_came(tmp_path: Path) -> None:
    with served(tmp_path / "data", RECALLQL_STREAM_TIMEOUT="20") as server:  # the survivor starts before
        command = ("node", "ai.mjs", server.url, "killed")
        process = await asyncio.create_subprocess_exec(*command, cwd=USER, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"running\n"
        process.kill()
        await process.wait()
        status, error, shown, stored = await run_script("ai.mjs", server.url, "survivor", home=USER)
    assert (status, error) == ("error", "the writer of the answer was interrupted")
    assert shown == "as far as this"
    assert stored == [{"type": "text", "text": "as far as this"}]


@pytest.mark.slow
async def test_the_writer_shows_that_it_lives(tmp_path: Path) -> None:
    with served(tmp_path / "data", RECALLQL_STREAM_TIMEOUT="17") as server:  # the writer is silent for 26 seconds
        printed = await run_script("ai.mjs", server.url, "silent", home=USER)
    assert printed == ["at last", ["COMPLETE", "COMPLETE"]]


@pytest.mark.slow
async def test_tabs_follow_an_answer_in_the_browser(
    settings: Settings, mongodb_uri: str, database: Database, tmp_path: Path
) -> None:
    del database
    async with chat_page(settings, mongodb_uri, tmp_path, "chat.jsx") as (page, _, cuts):
        whole = [" ".join(f"{count}.{number}" for number in range(60)) for count in (1, 2)]
        await expect(page.locator("#status")).to_have_text("ready", timeout=PATIENCE)
        await page.locator("#send").click()
        await expect(page.locator("li")).to_have_text(["question", whole[0]], timeout=PATIENCE)
        await page.evaluate("window.slow = 150")
        await page.locator("#send").click()
        await expect(page.locator("li").last).to_contain_text("2.5", timeout=PATIENCE)
        tab = await page.context.new_page()
        await tab.goto(page.url)
        await expect(tab.locator("li")).to_have_count(4, timeout=PATIENCE)
        await expect(tab.locator("#status")).to_have_text("streaming", timeout=PATIENCE)
        cuts.cut()
        await tab.reload()
        await expect(tab.locator("li").last).to_contain_text("2.5", timeout=PATIENCE)
        await expect(page.locator("#status")).to_have_text("streaming")  # the answer is still being made
        for shown in (page, tab):
            await expect(shown.locator("#status")).to_have_text("ready", timeout=PATIENCE)
            await expect(shown.locator("li")).to_have_text(["question", whole[0], "question", whole[1]])
        await page.evaluate("window.slow = 1")
        await page.locator("#again").click()
        await expect(page.locator("li")).to_have_count(4, timeout=PATIENCE)
        await expect(page.locator("#status")).to_have_text("ready", timeout=PATIENCE)
        await page.reload()
        await expect(page.locator("li")).to_have_text(["question", whole[0], "question", whole[1]], timeout=PATIENCE)
