"""`recallql export`: users and sessions out of the store into a file.

Each session is written as it was at one moment, however others write to it meanwhile; different sessions may be of
different moments between the beginning and the end of the export. A session made behind the place that the export has
reached is not in it; a user is in it before the first of its sessions.
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
from graph.transfer import records

_CLOCKS = timedelta(minutes=5)
"""By how much the clocks of those who make users may differ from this one's."""


@dataclass(slots=True)
class Exported:
    """What an export has written so far."""

    users: int = 0
    sessions: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export: everything, or one session, or one user with its sessions."""

    session_id: str | None = None
    user_id: str | None = None

    @property
    def match(self) -> Document:
        """The condition on the sessions."""
        given = {"_id": self.session_id, "userId": self.user_id}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def header(self) -> Document:
        """What the header says of it."""
        given = {"session": self.session_id, "user": self.user_id}
        return {name: value for name, value in given.items() if value is not None}


async def export(
    database: Database,
    wanted: Wanted,
    target: BinaryIO,
    *,
    resume: Resumed | None = None,
    report: Callable[[Exported], None] = lambda _: None,
) -> Exported:
    """Write what is wanted to a file that is open for bytes.

    Args:
        database: the open database.
        wanted: what to write.
        target: where to.
        resume: what an earlier export to the same file has written.
        report: called after each step.

    Raises:
        TransferError: there is no such session or user.
        Unavailable: the database does not answer.
    """
    done = resume.done if resume else Exported()
    since = (resume.began if resume else now()) - _CLOCKS
    recent: set[str] = set()
    if resume is None:
        users = await _users(database, wanted)
        more = wanted.header or {"numbers": await transfer.last_numbers(database)}
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
    sessions = transfer.read_sessions(database, wanted.match, since=since, first_id=first_id)
    async with aclosing(sessions) as contents:
        async for kind, documents in contents:
            if kind == "user":
                documents = [user for user in documents if user["_id"] not in recent]  # noqa: PLW2901 - the rest is written
                recent.update(user["_id"] for user in documents)
                done.users += len(documents)
            elif kind == "session":
                done.sessions += len(documents)
                report(done)
            elif kind == "message":
                done.messages += len(documents)
            target.write(records.lines(kind, documents))
    target.write(records.end(done.users, done.sessions, done.messages))
    target.flush()
    report(done)
    return done


async def _users(database: Database, wanted: Wanted) -> Document:
    """The condition on the users that are written first."""
    if wanted.session_id is not None:
        found = await transfer.find_sessions(database, [wanted.session_id])
        owner = found.get(wanted.session_id)
        if owner is None or wanted.user_id not in (None, owner.get("userId")):
            raise TransferError(f"there is no session {shown(wanted.session_id)}")
        return {"_id": owner.get("userId")}
    if wanted.user_id is not None:
        if not await transfer.find_users(database, [wanted.user_id]):
            raise TransferError(f"there is no user {shown(wanted.user_id)}")
        return {"_id": wanted.user_id}
    return {}


@dataclass(frozen=True, slots=True)
class Resumed:
    """What an export that was stopped has left.

    Attributes:
        done: how much of it stands.
        users: those in it.
        began: when it began.
        session_id: the session to go on with; the file ends where it would begin.
    """

    done: Exported
    users: set[str]
    began: datetime
    session_id: str


def resumed(path: Path, wanted: Wanted) -> Resumed | None:
    """Cut an unfinished file back to its last whole session; None when there is nothing to go on from.

    Raises:
        TransferError: it is of another export.
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
        if {name: header.get(name) for name in ("session", "user") if name in header} != wanted.header:
            raise TransferError(f"{path} is the beginning of an export of something else: remove it, or do not resume")
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
