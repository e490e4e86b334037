"""The oplog of the embedded mongod: its size, and the age of its oldest entry.

The oplog holds the contents of messages after they were deleted. MongoDB bounds it by size alone and drops the oldest
entries when new ones need the space, so an idle server would keep old entries for good. Notes without content, written
where entries are too old, take their place.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import MongoClient, timeout
from pymongo.errors import PyMongoError

logger = logging.getLogger(__name__)

_LEAST_RESIZED_MB = 990  # MongoDB's own bound of `replSetResizeOplog`
_FIRST_LOOK_SECONDS = 5.0  # after the start: a server that is restarted often would otherwise never look
_LOOK_SECONDS = 600.0
_NOTE = b"\0" * 2**20
_ANSWER_MILLISECONDS = 10_000  # for the answer to one command: mongod may hang
_CLOSE_SECONDS = 2.0
_PAUSE = 0.02  # seconds between notes, for other writers


def resize(client: MongoClient[dict[str, Any]], megabytes: int) -> None:
    """Give an existing oplog its size.

    Args:
        client: a client of the mongod.
        megabytes: the size in MiB; one below 990 holds only for a new oplog, and is left as it is.
    """
    bytes_now = int(client.local.command("collStats", "oplog.rs")["maxSize"])
    if bytes_now != megabytes * 2**20 and megabytes >= _LEAST_RESIZED_MB:
        client.admin.command("replSetResizeOplog", 1, size=float(megabytes))


@contextmanager
def bounded_age(uri: str, hours: float, *, look_seconds: float = _LOOK_SECONDS) -> Iterator[None]:
    """Keep the oldest entry of the oplog younger than `hours`, while the block runs; 0 disables the bound.

    Args:
        uri: the mongod.
        hours: the greatest age.
        look_seconds: seconds between looks at the oldest entry; the first one is at most 5 seconds after the start.
    """
    if not hours:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(
        target=_keep, args=(uri, timedelta(hours=hours), look_seconds, stop), name="oplog-age", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _keep(uri: str, age: timedelta, look_seconds: float, stop: threading.Event) -> None:
    client = MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=2_000, timeoutMS=_ANSWER_MILLISECONDS)
    try:
        pause = min(_FIRST_LOOK_SECONDS, look_seconds)
        while not stop.wait(pause):
            pause = look_seconds
            try:
                shorten(client, age, stop)
            except PyMongoError as error:
                logger.warning("MongoDB's oplog could not be shortened by age; a later attempt follows: %s", error)
    finally:
        with timeout(_CLOSE_SECONDS):  # the close waits for an answer to the end of its sessions
            client.close()


def shorten(client: MongoClient[dict[str, Any]], age: timedelta, stop: threading.Event | None = None) -> None:
    """Write notes until the oldest entry of the oplog is younger than `age`.

    MongoDB drops entries up to its last checkpoint, which it makes each minute: at most as many notes are written as
    fill the oplog and an eighth.

    Args:
        client: a client of the mongod.
        age: the greatest age.
        stop: ends the work early.
    """
    size = int(client.local.command("collStats", "oplog.rs")["maxSize"])
    for _ in range(size // len(_NOTE) + size // (8 * len(_NOTE)) + 1):
        if (stop is not None and stop.is_set()) or _oldest(client) > datetime.now(UTC) - age:
            return
        client.admin.command("appendOplogNote", 1, data={"recallql": _NOTE})
        time.sleep(_PAUSE)


def _oldest(client: MongoClient[dict[str, Any]]) -> datetime:
    entry = client.local["oplog.rs"].find_one({}, {"ts": 1}, sort=[("$natural", 1)])
    at: datetime = datetime.now(UTC) if entry is None else entry["ts"].as_datetime()
    return at
