"""Fixtures: one mongod for the run, a database of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from graph.app import create_app
from graph.settings import Settings
from graph.store.database import Database, open_database
from tests.support.commands import COMMANDS, Commands
from tests.support.graphql_client import Client, serving
from tests.support.mongod import SharedMongod, running_mongod


def pytest_configure(config: pytest.Config) -> None:
    """Start one mongod for all processes of a distributed run."""
    if config.pluginmanager.hasplugin("dsession"):
        config.pluginmanager.register(SharedMongod())


@pytest.fixture(scope="session")
def mongodb_uri(request: pytest.FixtureRequest) -> Iterator[str]:
    """The one mongod of the run."""
    given = getattr(request.config, "workerinput", {}).get("mongodb_uri")
    if given is not None:
        yield given
        return
    with running_mongod() as uri:
        yield uri


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that no environment variable or file changes, with a database of the test's own."""
    return Settings.model_construct(database=f"test_{uuid.uuid4().hex}", data_dir=tmp_path, port=0)


@pytest.fixture
async def database(mongodb_uri: str, settings: Settings) -> AsyncIterator[Database]:
    """The open database, dropped afterwards."""
    opened = await open_database(mongodb_uri, name=settings.database)
    yield opened
    await opened.client.drop_database(settings.database)
    await opened.close()


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
