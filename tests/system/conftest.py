"""What the tests of the console share: its bundle, a server, and a page of a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from graph.console import console_is_bundled
from tests.support import server_process
from tests.support.console import Visit, chromium, visiting
from tests.support.server_process import ServerProcess


@pytest.fixture(scope="module")
def bundle() -> None:
    if console_is_bundled():
        return
    if shutil.which("npm"):
        pytest.fail("The console is not bundled, though npm is here: build it with `pip install -e .`.")
    pytest.skip("no npm, so no bundle to test")


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
