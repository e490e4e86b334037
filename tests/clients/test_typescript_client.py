"""The TypeScript client, as npm packs it, in Node.js and in Chromium against a running server."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect
from pydantic import SecretStr
from recallql import AsyncRecallQL

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, served_with, token
from tests.support.client_page import PATIENCE, chat_page
from tests.support.cuts import Cuts, cuts_before
from tests.support.graphql_client import Client
from tests.support.node_project import PACKAGE, USER, install, install_packed, run, run_script
from tests.support.paths import ROOT
from tests.support.pieces import append, finish, started

CLARA = "My sister Clara works at the harbour office."
GENERATED = Path("src", "generated.ts")


@pytest.fixture(scope="module", autouse=True)
def packed() -> None:
    install_packed()


@pytest.fixture
async def cuts(client: Client) -> AsyncIterator[Cuts]:
    port = client.http.base_url.port
    assert port is not None
    async with cuts_before(port) as cuts:
        yield cuts


@asynccontextmanager
async def writing(client: Client) -> AsyncIterator[AsyncRecallQL]:
    async with AsyncRecallQL(str(client.http.base_url), http=client.http) as memory:
        yield memory


@pytest.mark.slow
def test_the_generated_part_is_that_of_the_schema(tmp_path: Path) -> None:
    install(PACKAGE)
    clients = tmp_path / "clients"
    copied = clients / "typescript"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("node_modules", "dist", "generated.ts"))
    (copied / "node_modules").symlink_to(PACKAGE / "node_modules")
    (clients / "python").mkdir()
    shutil.copy(ROOT / "clients" / "python" / "operations.graphql", clients / "python")
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    run(["npm", "run", "codegen"], copied)
    assert (copied / GENERATED).read_text() == (PACKAGE / GENERATED).read_text()


@pytest.mark.slow
def test_the_types_accept_and_refuse() -> None:
    options = [
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--module",
        "nodenext",
        "--target",
        "es2022",
        "--lib",
        "es2023,dom",
    ]
    run(["npx", "--no-install", "tsc", *options, "typed.ts"], USER)


async def test_what_is_added_is_read_found_popped_and_cleared(client: Client) -> None:
    assert await run_script("calls.mjs", str(client.http.base_url), "front", home=USER) == {
        "added": [False, 2],
        "all": [CLARA, "Good for her!"],
        "last": ["Good for her!"],
        "users": [CLARA],
        "hit": [CLARA, "s"],
        "context": True,
        "popped": 2,
        "cleared": [],
        "unknown": [None, None, []],
    }


async def test_all_messages_of_a_long_session_are_read(client: Client) -> None:
    read = await run_script("calls.mjs", str(client.http.base_url), "long", home=USER)
    assert read == {"all": list(range(1, 251)), "last": list(range(101, 251)), "none": []}


async def test_a_lost_answer_adds_nothing_twice(client: Client, cuts: Cuts) -> None:
    async with writing(client) as memory:
        await memory.add("s", {"role": "user", "content": "first"})
        cuts.answers_to_lose = 2
        added = await run_script("calls.mjs", cuts.url, "add", home=USER)
        assert cuts.lost == 2
        assert added == {"replayed": True, "messageCount": 2}
        assert [one.content for one in await memory.messages("s")] == ["first", "second"]


async def test_each_code_is_a_class(settings: Settings, mongodb_uri: str, database: Database) -> None:
    del database
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        ended = await run_script("calls.mjs", str(client.http.base_url), "errors", token("ada"), home=USER)
    assert ended == [
        ["BadUserInput", True],
        ["Conflict", True],
        ["Unauthenticated", True],
        ["Unauthenticated", True],
        ["ConnectionLost", False],
        ["DOMException", False],
    ]


async def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # it takes connections, and reads nothing
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert await run_script("calls.mjs", url, "silent", home=USER) == ["ConnectionLost", True]


async def test_a_follower_goes_on_after_cuts_without_gap_or_repetition(client: Client, cuts: Cuts) -> None:
    async with writing(client) as memory, asyncio.timeout(60):
        await memory.add("s", {"role": "user", "content": "before"})
        command = ("node", "calls.mjs", cuts.url, "follow")
        process = await asyncio.create_subprocess_exec(*command, cwd=USER, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        seen = [int(await process.stdout.readline())]
        for number in range(5):
            cuts.cut()
            await memory.add("s", *({"role": "user", "content": f"{number} {part}"} for part in range(3)))
            seen += [int(await process.stdout.readline()) for _ in range(3)]
        assert json.loads(await process.stdout.readline()) == "ended"
        assert await process.wait() == 0
    assert seen == list(range(1, 17))


async def test_changes_go_on_after_cuts_by_their_revision(client: Client, cuts: Cuts) -> None:
    async with writing(client) as memory, asyncio.timeout(60):
        added = await memory.add("s", *({"role": "user", "content": str(number)} for number in range(3)))
        process = await asyncio.create_subprocess_exec(
            "node", "calls.mjs", cuts.url, "changes", cwd=USER, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        edit = "mutation($i: UpdateMessageInput!) { updateMessage(input: $i) { message { seq } } }"
        for message in added.memory.messages or ():
            await client.data(edit, i={"uuid": str(message.uuid), "content": "edited"})
            assert json.loads(await process.stdout.readline()) == ["EDITED", message.seq, "edited"]
            cuts.cut()
        await memory.pop("s")
        assert json.loads(await process.stdout.readline()) == ["DELETED", 3, None]
        cuts.cut()
        await memory.clear("s")
        assert json.loads(await process.stdout.readline()) == ["CLEARED", 3, None]
        assert json.loads(await process.stdout.readline()) == "ended"
        assert await process.wait() == 0


async def test_a_reader_of_a_streamed_answer_goes_on_after_cuts(client: Client, cuts: Cuts) -> None:
    uuid = (await started(client))["uuid"]
    command = ("node", "calls.mjs", cuts.url, "stream", uuid)
    process = await asyncio.create_subprocess_exec(*command, cwd=USER, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    pieces = [f"piece {number} " for number in range(6)]
    async with asyncio.timeout(60):
        for number, piece in enumerate(pieces):
            await append(client, uuid, number, piece)
            assert int(await process.stdout.readline()) == number
            cuts.cut()
        await finish(client, uuid)
        whole = "".join(pieces)
        assert json.loads(await process.stdout.readline()) == [whole, whole, "COMPLETE"]
        assert await process.wait() == 0


@pytest.mark.slow
async def test_a_conversation_in_the_browser(
    settings: Settings, mongodb_uri: str, database: Database, tmp_path: Path
) -> None:
    del database
    async with chat_page(settings, mongodb_uri, tmp_path) as (page, client, cuts), writing(client) as memory:
        status, items = page.locator("#status"), page.locator("li")
        await expect(status).to_have_text("live", timeout=PATIENCE)
        await memory.add("s", {"role": "user", "content": "from elsewhere"})
        await expect(items).to_have_text(["1 from elsewhere"], timeout=PATIENCE)
        await page.locator("#add").click()
        await expect(items).to_have_text(["1 from elsewhere", "2 from the page"], timeout=PATIENCE)
        cuts.cut()
        cuts.answers_to_lose = 1
        await page.locator("#add").click()
        await memory.add("s", {"role": "user", "content": "after the cut"})
        await expect(items).to_have_count(4, timeout=PATIENCE)
        shown = [text.partition(" ") for text in await items.all_text_contents()]
        assert [number for number, _, _ in shown] == ["1", "2", "3", "4"]
        assert sorted(text for _, _, text in shown[2:]) == ["after the cut", "from the page"]
        await page.locator("#other").click()
        await expect(items).to_have_count(0, timeout=PATIENCE)
        await memory.add("other", {"role": "user", "content": "another session"})
        await memory.add("s", {"role": "user", "content": "of the session that was left"})
        await expect(items).to_have_text(["1 another session"], timeout=PATIENCE)
        await client.data('mutation { deleteSession(input: { sessionId: "other" }) { deletedId } }')
        await expect(status).to_have_text("ended", timeout=PATIENCE)
