"""The database is opened in one way, as the settings say."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from graph.cli.main import app
from graph.operations.opening import opened
from graph.settings import MongoDBSettings, Settings
from graph.store.driver.types import is_motor
from tests.support.paths import ROOT
from tests.support.source_code import imports, modules

DOOR = {Path("store/database.py"), Path("operations/opening.py")}


async def test_every_setting_of_the_database_is_used(mongodb_uri: str, settings: Settings) -> None:
    given = {"mongodb_pool_size": 7, "write_deadline": 3.0, "mongodb_timeout": 4.0, "mongodb_silence": 5.0}
    changed = settings.model_copy(update=given)
    async with opened(changed, mongodb_uri) as database:
        client = database.client.delegate if is_motor(database.client) else database.client
        options = client.options
        assert options.pool_options.max_pool_size == 7
        assert options.server_selection_timeout == 4.0
        assert database.write_deadline == 3.0
        assert database.silence == 5.0
        assert database.name == settings.database
        await database.client.drop_database(settings.database)


def test_there_is_no_other_way() -> None:
    opening = [path for path in modules() if "graph.store.database.open_database" in imports(path)]
    assert {path.relative_to(ROOT / "graph") for path in opening} <= DOOR


@pytest.mark.parametrize(
    "command",
    ["serve", "worker", "enrich", "export", "import", "import-zep", "doctor", "key create", "key list", "key revoke"],
)
def test_every_command_that_opens_it_has_the_same_flags(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"}).output
    assert [name for name in MongoDBSettings.model_fields if f"--{name.replace('_', '-')}" not in shown] == []
