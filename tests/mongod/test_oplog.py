"""What MongoDB keeps of deleted content: in its oplog for a bounded time, in its log never."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from graph.mongod.embedded import EmbeddedMongo
from graph.mongod.oplog import bounded_age, shorten
from tests.support.server_process import until

MARK = "zq7-content-of-a-message"


def oldest(client: MongoClient[dict[str, Any]]) -> Any:
    """The time of the oldest entry of the oplog."""
    entry = client.local["oplog.rs"].find_one({}, sort=[("$natural", 1)])
    assert entry is not None
    return entry["ts"]


@pytest.mark.slow  # MongoDB drops entries up to its last checkpoint, which it makes each minute
@pytest.mark.timeout(600)
@pytest.mark.parametrize("megabytes", [16, 990])
def test_deleted_content_leaves_the_oplog_in_time(tmp_path: Path, megabytes: int) -> None:
    with EmbeddedMongo(tmp_path, oplog_mb=megabytes) as mongo, MongoClient[dict[str, Any]](mongo.uri) as client:
        client.test.messages.insert_one({"_id": MARK})
        client.test.messages.delete_one({"_id": MARK})
        last = client.local["oplog.rs"].find_one({"op": "d", "o._id": MARK})
        assert last is not None
        shorten(client, timedelta(hours=1))
        assert oldest(client) < last["ts"]
        with bounded_age(mongo.uri, 1 / 3_600, look_seconds=0.1):
            until = time.monotonic() + 480
            while oldest(client) <= last["ts"] and time.monotonic() < until:
                threading.Event().wait(0.2)
        assert oldest(client) > last["ts"]


@pytest.mark.slow
def test_the_oplog_is_looked_at_soon_after_the_start(tmp_path: Path) -> None:
    with EmbeddedMongo(tmp_path) as mongo, MongoClient[dict[str, Any]](mongo.uri) as client:
        wanted = {"op": "n", "o.recallql": {"$exists": True}}
        with bounded_age(mongo.uri, 1e-6):  # every entry is older
            until(lambda: client.local["oplog.rs"].find_one(wanted, {"_id": 1}) is not None)


def test_an_existing_oplog_is_resized(tmp_path: Path) -> None:
    for megabytes in (990, 1_200, 990):
        with EmbeddedMongo(tmp_path, oplog_mb=megabytes) as mongo, MongoClient[dict[str, Any]](mongo.uri) as client:
            assert client.local.command("collStats", "oplog.rs")["maxSize"] == megabytes * 2**20


def test_slow_operations_are_not_logged(tmp_path: Path) -> None:
    with EmbeddedMongo(tmp_path) as mongo, MongoClient[dict[str, Any]](mongo.uri) as client:
        client.test.messages.insert_one({"_id": 1})
        found = list(client.test.messages.find({"$where": f"sleep(300) || '{MARK}'"}))
        assert len(found) == 1
    assert MARK not in (tmp_path / "mongod.log").read_text(encoding="utf-8")
