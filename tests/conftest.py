"""Fixtures: one mongod for the run, a database of its own for each test."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
from starlette.applications import Starlette

from graph.app import create_app
from graph.settings import Settings
from graph.store.database import Database
from tests.support import loop_plugin
from tests.support.commands import COMMANDS, Commands
from tests.support.databases import Databases, databases_of, new_name
from tests.support.driver import DRIVER, UNCLOSED
from tests.support.graphql_client import Client, serving
from tests.support.loop_watch import WATCH
from tests.support.memory_disk import memory_disk
from tests.support.mongod import SharedMongod, running_mongod


def pytest_configure(config: pytest.Config) -> None:
    """Watch the event loop, keep files in memory, and start one mongod for all processes of a distributed run."""
    WATCH.install()
    hypothesis.settings.register_profile("recallql", deadline=None)  # a busy machine takes longer for one example
    hypothesis.settings.load_profile("recallql")
    config.pluginmanager.register(loop_plugin)
    if disk := memory_disk():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(disk))
    if DRIVER == "pymongo":
        config.addinivalue_line("filterwarnings", UNCLOSED)
    if config.pluginmanager.hasplugin("dsession"):
        config.pluginmanager.register(SharedMongod())


def pytest_collection_finish() -> None:
    """Freeze what stays for the run, as `recallql serve` does: the collector need not look through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _own_notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep servers of other runs on this machine from being seen here, and ours from being seen there."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


@pytest.fixture
def leaves_garbage() -> Iterator[None]:
    """Collect garbage after a test that ignores its warnings, so that no later test is warned."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(scope="session")
def mongodb_uri(request: pytest.FixtureRequest) -> Iterator[str]:
    """The one mongod of the run."""
    given = getattr(request.config, "workerinput", {}).get("mongodb_uri")
    if given is not None:
        yield given
        return
    with running_mongod() as uri:
        yield uri


@pytest.fixture(scope="session")
def databases(mongodb_uri: str) -> Iterator[Databases]:
    """The databases that tests take, one after the other."""
    with databases_of(mongodb_uri) as databases:
        yield databases


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings that no environment variable or file changes, with a database of the test's own."""
    used_before = "database" in request.fixturenames and request.node.get_closest_marker("new_database") is None
    name = request.getfixturevalue("databases").take() if used_before else new_name()
    return Settings.model_construct(database=name, data_dir=tmp_path, port=0, mongodb_driver=DRIVER)


@pytest.fixture
async def database(databases: Databases, settings: Settings) -> AsyncIterator[Database]:
    """The open database, empty."""
    async with databases.lent(settings.database) as opened:
        yield opened


@pytest.fixture
async def target(databases: Databases) -> AsyncIterator[Database]:
    """A second open database, empty: for what is copied from one to the other."""
    async with databases.lent(databases.take()) as opened:
        yield opened


@pytest.fixture
def app(mongodb_uri: str, settings: Settings, database: Database) -> Starlette:
    """The application on the test's database."""
    return create_app(settings, mongodb_uri)


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[Client]:
    """A client over real HTTP to the application, served by uvicorn."""
    async with serving(app) as opened:
        yield opened


@pytest.fixture
def commands() -> Commands:
    """What is sent to MongoDB."""
    return COMMANDS
