from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient
from spacy.util import get_package_path

from graph.cli.commands.doctor import report
from graph.mongod.embedded import EmbeddedMongo
from graph.operations.diagnosis import Grade, disk, of_mongodb
from graph.runtime.diagnosis import examine
from graph.settings import Settings
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.checkup import Checkup
from graph.store.database import Database, open_database
from graph.store.documents import now, pending
from graph.store.jobs import erasure
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from graph.store.sessions import delete_session
from tests.support.accounts import mongod_with_reader
from tests.support.commands import Commands
from tests.support.documents import extract
from tests.support.untyped import untyped

GIB = 2**30


@pytest.fixture
def there(settings: Settings, mongodb_uri: str) -> Settings:
    return settings.model_copy(update={"mongodb_uri": SecretStr(mongodb_uri), "mongodb_timeout": 2.0})


async def grades(settings: Settings) -> dict[str, tuple[Grade, str]]:
    return {found.name: (found.grade, found.text) for found in await asyncio.to_thread(examine, settings)}


async def test_what_is_well_is_well(there: Settings, database: Database) -> None:
    found = await grades(there)
    assert {grade for grade, _ in found.values()} == {Grade.OK}, found
    assert {"MongoDB", "Replica set", "Indexes", "Disk", "Enrichment", "spaCy model", "Token table", "Space"} <= set(
        found
    )
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
        {"_id": "x", "sessionId": "s", "seq": 1, "createdAt": now(), "enrichment": pending(old)}
    )
    await untyped(database, "erasures").insert_one({"_id": "s:gone", "dueAt": old})
    found = await grades(there)
    assert found["Enrichment"][0] is Grade.WARNING
    assert "120 minutes" in found["Enrichment"][1]
    assert found["Erasures"][0] is Grade.WARNING


async def test_a_message_of_long_ago_that_was_stored_now_does_not_wait(there: Settings, database: Database) -> None:
    old = now() - timedelta(days=365)
    await untyped(database, "messages").insert_one(
        {"_id": "x", "sessionId": "s", "seq": 1, "createdAt": old, "enrichment": pending(now())}
    )
    found = (await grades(there))["Enrichment"]
    assert found[0] is Grade.OK
    assert "1 pending" in found[1]


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


def of_disk(settings: Settings, total: float, free: float) -> Grade:
    """The grade of a disk of MongoDB, by its size and free space in GiB."""
    (finding,) = disk(settings, (int(total * GIB), int((total - free) * GIB)))
    assert bool(finding.advice) is (finding.grade is not Grade.OK)
    return finding.grade


def test_a_disk_that_fills_is_a_warning_in_time(there: Settings) -> None:
    for total, warned in ((10, 2), (50, 5), (1000, 10)):
        assert of_disk(there, total, warned + 0.1) is Grade.OK
        assert of_disk(there, total, warned - 0.1) is Grade.WARNING
        assert of_disk(there, total, 0.9) is Grade.BROKEN


def test_much_reusable_space_has_advice(there: Settings) -> None:
    def advised(files: float, reusable: float) -> bool:
        found = Checkup(version="6.0.5", files=int(files * GIB), reusable=int(reusable * GIB))
        (space,) = [finding for finding in of_mongodb(found, there) if finding.name == "Space"]
        assert space.grade is Grade.OK
        assert f"{reusable:.2f} of the {files:.2f} GiB" in space.text
        return "compact" in space.advice

    assert [advised(4, 2), advised(4, 0.9), advised(10, 2)] == [True, False, False]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_the_space_of_erased_data_is_shown_and_given_back(settings: Settings, tmp_path: Path) -> None:
    """The recipe of the documentation, on a mongod with its own files."""
    own = settings.model_copy(update={"data_dir": tmp_path / "data", "mongodb_uri": None})
    (recipe,) = extract("docs/operating.md", "python", tmp_path)
    with EmbeddedMongo(own.data_dir) as mongo:
        with MongoClient[dict[str, Any]](mongo.uri) as client:  # else what is deleted stays for 5 minutes
            client.admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=0)

        def state() -> tuple[int, float]:
            """Bytes of the files, and the reusable GiB that are shown."""
            with MongoClient[dict[str, Any]](mongo.uri) as client:
                client.admin.command("fsync")  # a checkpoint, as each minute
                files = int(client[own.database].command("dbStats")["totalSize"])
            (space,) = [finding for finding in examine(own) if finding.name == "Space"]
            return files, float(space.text.split(" ")[0])

        database = await open_database(mongo.uri, name=own.database, driver_name=own.mongodb_driver)
        try:
            for _ in range(10):
                texts = [os.urandom(100_000).hex() for _ in range(20)]
                messages = [NewMessage("human", text, 3) for text in texts]
                await add_memory(database, EVERYTHING, NewMemory("erased", messages))
            await add_memory(database, EVERYTHING, NewMemory("kept", [NewMessage("human", "stays", 3)]))
            full, reusable = await asyncio.to_thread(state)
            assert reusable < 0.01
            await delete_session(database, EVERYTHING, "erased")
            while await erasure.run_pending(database):
                pass
            reusable = (await asyncio.to_thread(state))[1]
            assert reusable > 0.015
            command = [sys.executable, str(recipe), mongo.uri, own.database]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
            assert re.search(r"^messages: \d+,[\d,]+ bytes$", done.stdout, re.MULTILINE)
            given_back, reusable = await asyncio.to_thread(state)
            assert given_back < full / 2
            assert reusable < 0.01
            assert await untyped(database, "messages").count_documents({}) == 1
        finally:
            await database.close()


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
