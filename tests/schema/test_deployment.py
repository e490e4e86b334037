"""The state of the deployment over GraphQL."""

from __future__ import annotations

import asyncio
import platform
import re
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.operations import deployment
from graph.runtime.diagnosis import examine
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from graph.store.driver import client as driver
from graph.store.storage import COLLECTIONS, mongodb_version, space
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.accounts import mongod_with_reader
from tests.support.commands import Commands
from tests.support.graphql_client import Client
from tests.support.hanging import hanging_mongodb
from tests.support.memory import add
from tests.support.untyped import untyped

LONGEST = 15.0
"""Seconds: far above the limits of the test, since other tests share the machine."""
STORAGE = """{ deployment { storage { totalBytes diskBytes freeBytes
  collections { name documents contentBytes dataBytes indexBytes } } } }"""
FINDINGS = "{ deployment { findings { name grade text advice } } }"


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is a new one; what a look keeps is the subject of one test."""
    monkeypatch.setattr(deployment, "_KEPT", -1.0)


@pytest.fixture
async def there(settings: Settings, mongodb_uri: str, database: Database) -> AsyncIterator[tuple[Client, Settings]]:
    """A server whose settings name its MongoDB, and the settings, as `recallql doctor` has them."""
    changed = settings.model_copy(update={"mongodb_uri": SecretStr(mongodb_uri)})
    async with served_with(changed, mongodb_uri) as client:
        yield client, changed


async def collections(client: Client) -> dict[str, dict[str, Any]]:
    found = (await client.data(STORAGE))["deployment"]["storage"]
    assert found["totalBytes"] == sum(each["dataBytes"] + each["indexBytes"] for each in found["collections"])
    return {each["name"]: each for each in found["collections"]}


async def test_versions_are_those_of_the_processes(client: Client, database: Database) -> None:
    found = (await client.data("{ deployment { version pythonVersion mongodbVersion subscribers } }"))["deployment"]
    assert found == {
        "version": version("recallql"),
        "pythonVersion": platform.python_version(),
        "mongodbVersion": (await database.client.admin.command("buildInfo"))["version"],
        "subscribers": 0,
    }


async def test_the_storage_follows_what_is_stored(client: Client, database: Database, commands: Commands) -> None:
    before = await collections(client)
    assert set(before) == set(COLLECTIONS)
    text = "Octavia Butler wrote Kindred. " * 20
    await add(client, "s", [{"role": "human", "content": text} for _ in range(30)])
    with commands.recorded() as seen:
        after = await collections(client)
    assert [name for name, _ in seen] == ["listCollections", "dbStats", "aggregate"]
    assert after["messages"]["documents"] - before["messages"]["documents"] == 30
    assert after["sessions"]["documents"] - before["sessions"]["documents"] == 1
    assert after["messages"]["contentBytes"] - before["messages"]["contentBytes"] > 30 * len(text)
    assert all(each["indexBytes"] > 0 and each["dataBytes"] > 0 for each in after.values())
    sizes = [each["dataBytes"] + each["indexBytes"] for each in after.values()]
    assert sizes == sorted(sizes, reverse=True)


async def test_the_disk_is_that_of_mongodb(client: Client, database: Database) -> None:
    stats = await database.client[database.name].command("dbStats")
    found = (await client.data(STORAGE))["deployment"]["storage"]
    assert found["diskBytes"] == stats["fsTotalSize"]
    assert 0 < found["freeBytes"] < found["diskBytes"]


async def test_a_collection_of_another_application_or_a_missing_one_is_left_out(
    client: Client, database: Database
) -> None:
    await database.client[database.name]["others"].insert_one({"_id": 1})
    await database.client[database.name].drop_collection("models")
    assert set(await collections(client)) == set(COLLECTIONS) - {"models"}


async def test_a_user_that_may_only_read_the_database_is_enough(tmp_path: Path, settings: Settings) -> None:
    with mongod_with_reader(tmp_path, settings.database) as uri:
        client = driver.connect(uri, pool_size=4, timeout=10, driver=settings.mongodb_driver)
        try:
            opened = Database(client, settings.database, write_deadline=0)
            assert re.match(r"\d+\.\d+\.\d+", await mongodb_version(opened, 10))
            (found,) = (await space(opened, 10)).collections
        finally:
            await driver.close(client)
    assert (found.name, found.documents) == ("messages", 1)


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """A finding without its bytes and hours, which differ between two looks."""
    return {**found, "text": re.sub(r"\d+\.\d+( of the \d+\.\d+)? GiB|[\d.]+ hours", "N", found["text"])}


async def test_the_findings_are_those_of_doctor(there: tuple[Client, Settings], database: Database) -> None:
    """A fault of each kind that the database can have, beside what is well."""
    client, settings = there
    failed = {"state": "FAILED", "attempts": 5, "reason": "r"}
    message = {"_id": "x", "sessionId": "s", "seq": 1, "createdAt": now(), "enrichment": failed}
    await untyped(database, "messages").insert_one(message)
    await untyped(database, "messages").drop_index("due")
    await untyped(database, "erasures").insert_one({"_id": "s:gone", "dueAt": now() + timedelta(hours=1)})
    of_api = [comparable(each) for each in (await client.data(FINDINGS))["deployment"]["findings"]]
    of_command = [
        comparable(
            {
                "name": each.name,
                "grade": each.grade.name,
                "text": each.text.replace("finds entities", "is installed").replace(
                    "model embeds", "model is installed"
                ),
                "advice": each.advice or None,
            }
        )
        for each in await asyncio.to_thread(examine, settings)
    ]
    assert of_api == of_command
    grades = {each["name"]: each["grade"] for each in of_api}
    assert {name for name, grade in grades.items() if grade != "OK"} == {"Enrichment", "Indexes", "Erasures"}
    assert (grades["Indexes"], grades["Enrichment"]) == ("BROKEN", "WARNING")


async def test_the_checks_load_no_model(client: Client, app: Starlette) -> None:
    found = {each["name"]: each for each in (await client.data(FINDINGS))["deployment"]["findings"]}
    assert found["Embeddings"]["text"] == "the packaged sentence model is installed"
    assert app.state.backend.embedder._model._loaded is None


async def test_the_checks_change_nothing(client: Client, database: Database, commands: Commands) -> None:
    with commands.recorded() as sent:
        assert (await client.data(FINDINGS))["deployment"]["findings"]
    names = {name for name, _ in sent}
    assert {"aggregate", "dbStats"} <= names
    assert not {"create", "createIndexes", "insert", "update", "delete", "findAndModify"} & names


async def test_all_who_ask_within_some_seconds_share_one_look(
    settings: Settings, mongodb_uri: str, database: Database, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "_KEPT", 60.0)
    async with served_with(settings, mongodb_uri) as client:
        both = "{ deployment { findings { name } storage { totalBytes } } }"
        with commands.recorded() as sent:
            answers = await asyncio.gather(*(client.data(both) for _ in range(10)))
            answers.append(await client.data(both))
    assert [name for name, _ in sent].count("dbStats") == 2
    assert all(answer == answers[0] for answer in answers)


async def test_counts_that_take_too_long_are_a_warning_beside_the_other_findings(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a database that is too large to be counted in time."""
    from graph.store import checkup

    real = checkup._look
    monkeypatch.setattr(checkup, "_look", lambda opened, found, model, _: real(opened, found, model, 1e-9))
    found = {each["name"]: each for each in (await client.data(FINDINGS))["deployment"]["findings"]}
    assert found["Enrichment"]["grade"] == "WARNING"
    assert "not counted within" in found["Enrichment"]["text"]
    assert found["Memory"]["grade"] == "OK"
    assert "Erasures" not in found


async def until_well(client: Client) -> None:
    async with asyncio.timeout(60):
        while True:
            answer = await client.send(FINDINGS)
            if "errors" not in answer and "BROKEN" not in str(answer):
                return
            await asyncio.sleep(0.2)


async def test_while_mongodb_is_silent_an_answer_comes_in_time_and_later_ones_are_right(
    settings: Settings, mongodb_uri: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As all reads, the query is refused; where reads wait, the checks end by themselves and say why."""
    for silence, seconds in ((1.0, 8.0), (0.0, 1.0)):
        monkeypatch.setattr(deployment, "SECONDS", seconds)
        with hanging_mongodb(mongodb_uri) as proxy:
            async with served_with(settings, proxy.uri, mongodb_silence=silence) as client:
                assert (await client.data(FINDINGS))["deployment"]["findings"]
                proxy.hang()
                started = time.monotonic()
                answer = await client.send(FINDINGS)
                assert time.monotonic() - started < LONGEST
                if silence:
                    assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
                else:
                    (broken,) = [each for each in answer["data"]["deployment"]["findings"] if each["grade"] == "BROKEN"]
                    assert broken["name"] == "MongoDB"
                    assert "within 1 seconds" in broken["text"]
                    assert (await client.error(STORAGE))["code"] == "UNAVAILABLE"
                proxy.go_on()
                await until_well(client)


async def test_end_users_are_refused_and_every_service_key_may_read(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, key = await create_key(database, "operator", Right.READ)
    asked = ["{ deployment { version } }", STORAGE, FINDINGS, "{ deployment { __typename subscribers } }"]
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        as_caller(client, token("ada"))
        for query in asked:
            answer = await client.send(query)
            assert answer["data"] is None
            assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        as_caller(client, key)
        for query in asked:
            assert (await client.data(query))["deployment"]
