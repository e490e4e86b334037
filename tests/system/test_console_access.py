"""Who may see what in the console, what its page consists of, and a fresh install, in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from graph.console import CONSOLE_CSP
from tests.support import node_project, server_process
from tests.support.access import SECRET, token
from tests.support.chitchat import CHATS
from tests.support.console import ADD, Visit, said, visiting
from tests.support.paths import ROOT
from tests.support.server_process import ServerProcess

WEB = ROOT / "graph" / "console" / "web"

pytestmark = pytest.mark.usefixtures("bundle")


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
        expect(sample).to_be_visible()
        assert visit.violations() == []
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


@pytest.mark.slow
def test_a_fresh_install_tells_how_to_store_the_chats_of_the_test_set(browser: Browser, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with (
        server_process.served(data, "--enrichment-processes", "0") as server,
        visiting(browser, server.url) as visit,
    ):
        visit.open()
        expect(visit.page.locator(".empty")).to_contain_text("an installed package alone has no test set")
        shown = visit.page.get_by_label("Commands for the chats of the test set").inner_text()
        writing, importing = shown.splitlines()
        assert writing.startswith("python -m ")
        assert writing.endswith(" > chitchat.ndjson")
        assert importing == "recallql import chitchat.ndjson"
        module = writing.removeprefix("python -m ").partition(" ")[0]
        with (tmp_path / "chitchat.ndjson").open("wb") as file:
            subprocess.run([sys.executable, "-m", module], stdout=file, check=True, timeout=120, cwd=ROOT)
        lines = (tmp_path / "chitchat.ndjson").read_bytes().splitlines(keepends=True)
        assert sum(b'"type":"session"' in line for line in lines) == CHATS
        assert f"{CHATS:,} chats" in visit.page.locator(".empty").inner_text()
        beginning = next(place for place, line in enumerate(lines) if place > 60 and b'"type":"session"' in line)
        (tmp_path / "chitchat.ndjson").write_bytes(b"".join(lines[:beginning]))  # all of them take minutes
        command = [sys.executable, "-m", "graph", *importing.split()[1:], "--data-dir", str(data)]
        subprocess.run(command, check=True, timeout=60, cwd=tmp_path, env=server_process.clean_environment())
        expect(visit.page.locator("a.session").first).to_be_visible()
        assert visit.complaints == []
