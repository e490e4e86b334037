"""The choice of the driver, and warnings of Motor about itself."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect

from graph.errors import Unavailable
from graph.operations.opening import opened
from graph.settings import Settings
from graph.store.driver import client as driver
from graph.store.driver.collection import Collection
from graph.store.driver.types import DriverName, is_motor
from graph.store.driver.waiting import lost_cancellation_raised
from tests.support.access import changed
from tests.support.driver import UNCLOSED
from tests.support.hanging import hanging_mongodb
from tests.support.replica_set import replica_set
from tests.support.tcp import free_port

pytestmark = [pytest.mark.filterwarnings(UNCLOSED), pytest.mark.usefixtures("leaves_garbage")]

WARNING = "Motor is past its end of life"


@pytest.fixture
def warning_motor(tmp_path: Path) -> Path:
    """A directory with the installed Motor, which warns at its import as a later release may."""
    found = find_spec("motor")
    assert found is not None
    assert found.origin is not None
    copied = tmp_path / "motor"
    shutil.copytree(Path(found.origin).parent, copied)
    module = copied / "__init__.py"
    warns = f"import warnings\nwarnings.warn({WARNING!r}, DeprecationWarning, stacklevel=2)\n"
    module.write_text(module.read_text(encoding="utf-8") + warns, encoding="utf-8")
    return tmp_path


def run(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", f"import sys; sys.path.insert(0, {str(path)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )


def test_a_warning_of_motor_at_its_import_is_not_shown(warning_motor: Path) -> None:
    assert WARNING in run("import motor", warning_motor).stderr
    shown = run("import graph.store.driver.motor as driver, motor; print(motor.__file__)", warning_motor)
    assert shown.stdout.strip() == str(warning_motor / "motor" / "__init__.py")
    assert WARNING not in shown.stderr


@pytest.mark.parametrize("name", ["motor", "pymongo"])
async def test_the_setting_chooses_the_driver(settings: Settings, mongodb_uri: str, name: DriverName) -> None:
    async with opened(changed(settings, mongodb_driver=name), mongodb_uri) as database:
        assert is_motor(database.client) is (name == "motor")
        assert isinstance(database.client, AsyncMongoClient) is (name == "pymongo")
        await database.users.update_one({"_id": "ann"}, {"$set": {"email": "ann@example.com"}}, upsert=True)
        assert [user["email"] for user in await database.users.find({})] == ["ann@example.com"]
        await database.client.drop_database(database.name)


def test_motor_is_not_imported_where_it_is_not_chosen() -> None:
    code = "import graph.app; assert 'motor' not in sys.modules"
    assert run(code, Path.cwd()).returncode == 0


@pytest.mark.parametrize("name", ["motor", "pymongo"])
async def test_a_client_closes_in_time_while_mongodb_is_silent(mongodb_uri: str, name: DriverName) -> None:
    with hanging_mongodb(mongodb_uri) as mongodb:
        client = driver.connect(mongodb.uri, pool_size=2, timeout=10.0, driver=name)
        await client.get_database("test_close").get_collection("users").find_one({})
        mongodb.hang()
        began = time.monotonic()
        closing = asyncio.create_task(driver.close(client))
        await asyncio.sleep(0)
        held = time.monotonic() - began
        await closing
        took = time.monotonic() - began
    assert held < 1, "the command that ends the sessions does not wait on the event loop"
    assert took < 8, "its answer is waited for 2 seconds, on a busy machine a bit more"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["motor", "pymongo"])
async def test_all_cancelled_reads_end_while_mongodb_refuses_connections(name: DriverName) -> None:
    uri = f"mongodb://127.0.0.1:{free_port()}/?directConnection=true"
    client = driver.connect(uri, pool_size=8, timeout=20.0, driver=name)
    users: Collection[Any] = Collection(client.get_database("test_cancelled").get_collection("users"))
    with driver.time_limit(20.0):
        reads = [asyncio.create_task(users.find({})) for _ in range(200)]
    for number, read in enumerate(reads):  # around the half second after which each looks for MongoDB again
        asyncio.get_running_loop().call_later(0.4 + 0.001 * number, read.cancel)
    _, left = await asyncio.wait(reads, timeout=8)
    for read in left:
        read.cancel()
    await driver.close(client)
    await asyncio.gather(*reads, return_exceptions=True)
    assert not left


@pytest.mark.parametrize("name", ["motor", "pymongo"])
async def test_a_read_that_is_cancelled_at_any_turn_of_the_loop_ends_its_task(
    mongodb_uri: str, name: DriverName
) -> None:
    client = driver.connect(mongodb_uri, pool_size=8, timeout=20.0, driver=name)
    users: Collection[Any] = Collection(client.get_database("test_cancelled").get_collection("users"))

    async def read_and_stay() -> None:
        await users.find_one({})
        await asyncio.Event().wait()

    with driver.time_limit(20.0):
        tasks = [asyncio.create_task(read_and_stay()) for _ in range(600)]
    for task in tasks:
        await asyncio.sleep(0)
        task.cancel()
    _, left = await asyncio.wait(tasks, timeout=20)
    for task in left:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await driver.close(client)
    assert not left


@pytest.mark.parametrize("fails", [True, False])
async def test_a_lost_cancellation_is_raised_in_place_of_an_error(fails: bool) -> None:
    async def command() -> None:
        with lost_cancellation_raised():
            with suppress(asyncio.CancelledError):  # as `wait_for` of Python 3.11 does
                await asyncio.Event().wait()
            if fails:
                raise AutoReconnect("the primary stepped down")

    task = asyncio.create_task(command())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_before_a_command_does_not_cancel_it() -> None:
    """What a cancelled task does to end in order may need MongoDB."""

    async def command() -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        with lost_cancellation_raised():
            await asyncio.sleep(0)
        return "done"

    task = asyncio.create_task(command())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "done"


async def test_a_primary_that_steps_down_within_find_and_modify_is_unavailable(
    tmp_path: Path, settings: Settings
) -> None:
    fault = {"errmsg": "stepping down", "code": 11602, "errorLabels": ["RetryableWriteError"]}
    with replica_set(tmp_path, size=1, fails=True) as members:
        async with opened(settings, members.uri) as database:
            with members.direct(members.ports[0]) as client:
                client.admin.command(
                    "configureFailPoint",
                    "failCommand",
                    mode="alwaysOn",
                    data={
                        "failCommands": ["findAndModify"],
                        "writeConcernError": fault,
                        "errorLabels": fault["errorLabels"],
                    },
                )
            with pytest.raises(Unavailable, match="try again"):
                await database.counters.upsert_one({"_id": "x"}, {"$inc": {"n": 1}})
