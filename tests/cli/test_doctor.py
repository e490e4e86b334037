from __future__ import annotations

import asyncio
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient
from spacy.util import get_package_path

from graph.cli.commands.doctor import report
from graph.mongod.embedded import EmbeddedMongo
from graph.operations.diagnosis import Grade
from graph.runtime.diagnosis import examine
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from tests.support.accounts import mongod_with_reader
from tests.support.commands import Commands
from tests.support.untyped import untyped


@pytest.fixture
def there(settings: Settings, mongodb_uri: str) -> Settings:
    return settings.model_copy(update={"mongodb_uri": SecretStr(mongodb_uri), "mongodb_timeout": 2.0})


async def grades(settings: Settings) -> dict[str, tuple[Grade, str]]:
    return {found.name: (found.grade, found.text) for found in await asyncio.to_thread(examine, settings)}


async def test_what_is_well_is_well(there: Settings, database: Database) -> None:
    found = await grades(there)
    assert {grade for grade, _ in found.values()} == {Grade.OK}, found
    assert {"MongoDB", "Replica set", "Indexes", "Disk", "Enrichment", "spaCy model", "Token table"} <= set(found)
    assert {"Authentication", "Erasures", "Oplog", "Memory", "Embeddings"} <= set(found)


async def test_an_own_mongod_without_data_is_not_started(settings: Settings, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    grade, text = (await grades(settings.model_copy(update={"data_dir": directory, "mongodb_uri": None})))["MongoDB"]
    assert (grade, str(directory) in text) == (Grade.OK, True)
    assert not directory.exists()


async def test_an_own_mongod_that_does_not_run_is_not_started(settings: Settings, tmp_path: Path) -> None:
    own = settings.model_copy(update={"data_dir": tmp_path / "data", "mongodb_uri": None})
    with EmbeddedMongo(own.data_dir) as mongo, MongoClient[dict[str, Any]](mongo.uri) as client:
        client[own.database].sessions.insert_one({"_id": "s"})

    def files() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in own.data_dir.rglob("*")}

    before = files()
    found = await grades(own)
    assert found["MongoDB"] == (Grade.WARNING, f"no server runs the one of {own.data_dir}")
    assert found["Disk"][0] is Grade.OK
    assert files() == before


async def test_an_own_mongod_that_runs_is_looked_into(settings: Settings, tmp_path: Path) -> None:
    own = settings.model_copy(update={"data_dir": tmp_path / "data", "mongodb_uri": None})
    with EmbeddedMongo(own.data_dir):
        found = await grades(own)
    assert found["Replica set"][0] is Grade.OK


async def test_a_user_that_may_only_read_is_enough(tmp_path: Path, settings: Settings) -> None:
    """One short line for each thing, where MongoDB lets its user read one database and nothing else."""
    with mongod_with_reader(tmp_path, settings.database) as uri:
        changed = settings.model_copy(update={"mongodb_uri": SecretStr(uri), "mongodb_timeout": 5.0})
        found = await asyncio.to_thread(examine, changed)
    broken = [finding for finding in found if finding.grade is Grade.BROKEN]
    assert [finding.name for finding in broken] == ["Indexes"]  # nobody may make them for this user
    assert {"Enrichment", "Oplog", "Memory"} <= {finding.name for finding in found}
    assert all("\n" not in finding.text and len(finding.text) < 600 for finding in found)


async def test_work_that_waits_too_long_is_a_warning(there: Settings, database: Database) -> None:
    old = now() - timedelta(hours=2)
    await untyped(database, "messages").insert_one(
        {"_id": "x", "sessionId": "s", "seq": 1, "createdAt": old, "enrichment": {"state": "PENDING", "attempts": 0}}
    )
    await untyped(database, "erasures").insert_one({"_id": "s:gone", "dueAt": old})
    found = await grades(there)
    assert found["Enrichment"][0] is Grade.WARNING
    assert "120 minutes" in found["Enrichment"][1]
    assert found["Erasures"][0] is Grade.WARNING


async def test_sessions_beyond_the_retention_are_not_counted(there: Settings, database: Database) -> None:
    old = now() - timedelta(days=3)
    sessions = [
        {"_id": name, "uuid": name, "messageCount": 5, "createdAt": at, "updatedAt": at}
        for name, at in (("old", old), ("new", now()))
    ]
    await untyped(database, "sessions").insert_many(sessions)
    assert "10 messages done" in (await grades(there))["Enrichment"][1]
    brief = there.model_copy(update={"retention_days": 2.0})
    assert "5 messages done" in (await grades(brief))["Enrichment"][1]


async def test_it_changes_nothing(there: Settings, database: Database, commands: Commands) -> None:
    with commands.recorded() as sent:
        assert (await grades(there))["Enrichment"][0] is Grade.OK
    names = {name for name, _ in sent}
    assert {"aggregate", "dbStats"} <= names
    assert not {"create", "createIndexes", "insert", "update", "delete", "findAndModify"} & names


async def test_missing_indexes_are_named(there: Settings, database: Database) -> None:
    await untyped(database, "messages").drop_index("due")
    grade, text = (await grades(there))["Indexes"]
    assert grade is Grade.BROKEN
    assert "messages: due" in text


@pytest.mark.parametrize(
    ("changes", "thing", "word"),
    [
        ({"mongodb_uri": SecretStr("mongodb://127.0.0.1:1/?replicaSet=x")}, "MongoDB", "can't be reached"),
        ({"mongodb_uri": SecretStr("postgres://x")}, "MongoDB", "connection string"),
        ({"spacy_model": "de_core_news_sm"}, "spaCy model", "spacy download"),
        ({"token_encoding": "nope"}, "Token table", "nope"),
        ({"llm_model": "x"}, "Summaries", "only one"),
    ],
)
async def test_what_is_broken_is_named(
    there: Settings, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], thing: str, word: str
) -> None:
    settings = there.model_copy(update={"mongodb_timeout": 0.5, **changes})
    grade, text = (await grades(settings))[thing]
    assert grade is Grade.BROKEN
    assert word in text
    assert report(await asyncio.to_thread(examine, settings)) == 1
    assert word in capsys.readouterr().out


@pytest.fixture
def old_model(settings: Settings, tmp_path: Path) -> Path:
    """The model, as if it had been made for an older spaCy."""
    directory = tmp_path / "model"
    installed = next(Path(get_package_path(settings.spacy_model)).glob("*/config.cfg")).parent
    shutil.copytree(installed, directory)
    meta = json.loads((directory / "meta.json").read_text())
    (directory / "meta.json").write_text(json.dumps(meta | {"spacy_version": ">=3.0.0,<3.1.0"}))
    return directory


async def test_a_model_for_another_spacy_is_a_warning(there: Settings, old_model: Path) -> None:
    findings = await asyncio.to_thread(examine, there.model_copy(update={"spacy_model": str(old_model)}))
    of_model = [(found.grade, found.text) for found in findings if found.name == "spaCy model"]
    assert [grade for grade, _ in of_model] == [Grade.OK, Grade.WARNING]
    assert "3.0.0" in of_model[1][1]
    assert report(findings) == 0


async def test_failures_are_told_with_how_to_retry(
    there: Settings, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await untyped(database, "messages").insert_one(
        {"_id": "x", "sessionId": "s", "seq": 1, "enrichment": {"state": "FAILED", "attempts": 5, "reason": "r"}}
    )
    findings = await asyncio.to_thread(examine, there)
    assert report(findings) == 0
    assert "recallql enrich --failed" in capsys.readouterr().out
