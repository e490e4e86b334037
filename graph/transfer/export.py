"""`recallql export`: writes users and sessions from the store to a file.

Each session is a snapshot of one moment, even while others write to it. All sessions that are read within
`SNAPSHOT_SECONDS` have the same moment; of a longer export, the next sessions have a later one, so that a session which
was created meanwhile before the place that the export has reached is left out. Users and items are read at the time of
their records; a user precedes the first of its sessions.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import orjson

from graph.errors import TransferError, shown
from graph.store.database import Database
from graph.store.documents import Document, now
from graph.store.transfer import documents as transfer
from graph.store.transfer.items import read_items
from graph.transfer import records

_CLOCKS = timedelta(minutes=5)
"""Maximum difference between the clock of this machine and those of machines that create users."""


@dataclass(slots=True)
class Exported:
    """The progress of an export."""

    users: int = 0
    sessions: int = 0
    messages: int = 0
    items: int = 0


@dataclass(frozen=True, slots=True)
class ExportSelection:
    """The selection of an export: everything, or one session, or one user with its sessions."""

    session_id: str | None = None
    user_id: str | None = None

    @property
    def match(self) -> Document:
        """Return the filter for the sessions."""
        values = {"_id": self.session_id, "userId": self.user_id}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def header(self) -> Document:
        """Return the entries of the header for this selection."""
        values = {"session": self.session_id, "user": self.user_id}
        return {name: value for name, value in values.items() if value is not None}


async def export(
    database: Database,
    selection: ExportSelection,
    target: BinaryIO,
    *,
    resume: Resumed | None = None,
    report: Callable[[Exported], None] = lambda _: None,
) -> Exported:
    """Write the selection to a binary file.

    Args:
        database: the open database.
        selection: the selection.
        target: the open file.
        resume: the state of an earlier export to the same file.
        report: called after each step.

    Raises:
        TransferError: the session or user does not exist.
        Unavailable: the database does not answer.
    """
    done = resume.done if resume else Exported()
    since = (resume.began if resume else now()) - _CLOCKS
    recent: set[str] = set()
    if resume is None:
        users = await _users(database, selection)
        more = selection.header or {"numbers": await transfer.last_numbers(database)}
        target.write(records.header(exportedAt=now(), **more))
        async with aclosing(transfer.read_users(database, users)) as batches:
            async for found in batches:
                target.write(records.lines("user", found))
                done.users += len(found)
                recent.update(user["_id"] for user in found if user["createdAt"] >= since)
                report(done)
    else:
        recent = resume.users
    first_id = resume.session_id if resume else None
    sessions = transfer.read_sessions(database, selection.match, since=since, first_id=first_id)
    async with aclosing(sessions) as contents:
        async for kind, documents in contents:
            if kind == "user":
                documents = [user for user in documents if user["_id"] not in recent]  # noqa: PLW2901 - the others are written later
                recent.update(user["_id"] for user in documents)
                done.users += len(documents)
            elif kind == "session":
                done.sessions += len(documents)
                report(done)
            elif kind == "message":
                done.messages += len(documents)
            target.write(records.lines(kind, documents))
    if selection.session_id is None:
        async with aclosing(read_items(database, selection.match, since=since)) as batches:
            async for owners, items in batches:
                new = [owner for owner in owners if owner["_id"] not in recent]
                recent.update(owner["_id"] for owner in new)
                target.write(records.lines("user", new) + records.lines("item", items))
                done.users += len(new)
                done.items += len(items)
                report(done)
    target.write(records.end(done.users, done.sessions, done.messages, done.items))
    target.flush()
    report(done)
    return done


async def _users(database: Database, selection: ExportSelection) -> Document:
    """Return the filter for the users that are written first."""
    if selection.session_id is not None:
        found = await transfer.find_sessions(database, [selection.session_id])
        owner = found.get(selection.session_id)
        if owner is None or selection.user_id not in (None, owner.get("userId")):
            raise TransferError(f"there is no session {shown(selection.session_id)}")
        return {"_id": owner.get("userId")}
    if selection.user_id is not None:
        if not await transfer.find_users(database, [selection.user_id]):
            raise TransferError(f"there is no user {shown(selection.user_id)}")
        return {"_id": selection.user_id}
    return {}


@dataclass(frozen=True, slots=True)
class Resumed:
    """The state of an export that was stopped.

    Attributes:
        done: the progress in the file.
        users: the ids of the users in the file.
        began: the start time of the export.
        session_id: the next session; the file ends before its first record.
    """

    done: Exported
    users: set[str]
    began: datetime
    session_id: str


def resumed(path: Path, selection: ExportSelection) -> Resumed | None:
    """Cut an unfinished file after its last whole session; return None if there is no file to resume.

    Raises:
        TransferError: the file belongs to another export.
    """
    done, standing = Exported(), Exported()
    users: set[str] = set()
    later: set[str] = set()
    begins, session_id = 0, None
    with path.open("r+b") as file:
        line = file.readline()
        if not line.endswith(b"\n"):
            return None
        header = records.parse_header(line)
        if {name: header.get(name) for name in ("session", "user") if name in header} != selection.header:
            raise TransferError(
                f"{path} is the beginning of an export with another selection: remove it, or do not resume"
            )
        place = file.tell()
        for line in file:
            if not line.endswith(b"\n"):
                break
            if line.startswith(b'{"type":"session"'):
                standing = Exported(done.users, done.sessions, done.messages)
                begins, session_id = place, orjson.loads(line)["sessionId"]
                users |= later
                later.clear()
                done.sessions += 1
            elif line.startswith(b'{"type":"user"'):
                later.add(orjson.loads(line)["userId"])
                done.users += 1
            elif line.startswith(b'{"type":"message"'):
                done.messages += 1
            place += len(line)
        if session_id is None or "exportedAt" not in header:
            return None
        file.truncate(begins)
        os.fsync(file.fileno())
    return Resumed(standing, users, header["exportedAt"], session_id)
