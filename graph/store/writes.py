"""Writes to a session: one writer of this process at a time, in one transaction, after unfinished erasures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from graph.errors import ErasureUnderWay, Unavailable
from graph.store.database import Database
from graph.store.documents import MessageDocument, SessionDocument
from graph.store.driver.deadline import bounded
from graph.store.driver.transactions import held, in_transaction
from graph.store.driver.types import DuplicateKeyError, Transaction
from graph.store.jobs import expiry

T = TypeVar("T")

_TRIES = 5


async def write_session(
    database: Database, session_id: str, work: Callable[[Transaction], Awaitable[T]], *, user_id: str | None = None
) -> T:
    """Run `work(tx)` in a transaction, while no other writer of this process writes to the session.

    Args:
        database: the open database.
        session_id: the session that is written.
        work: reads and writes with the given transaction; it may run several times.
        user_id: the user that the session may be assigned to.

    Raises:
        OutcomeUnknown: MongoDB did not confirm whether the transaction is committed.
        Unavailable: the database does not answer, or other writers kept this writer out until the deadline.
    """
    with bounded(database.write_deadline) as until:
        async with (
            held(database.write_lock(session_id), until, database.write_deadline),
            _user_lock(database, session_id, user_id, until),
        ):
            return await write(database, work, session_id)


async def write(database: Database, work: Callable[[Transaction], Awaitable[T]], session_id: str | None = None) -> T:
    """Run `work(tx)` in a transaction; finish an erasure first on which the work depends.

    Args:
        database: the open database.
        work: reads and writes with the given transaction; it may run several times.
        session_id: the session that the work may create.

    Raises:
        OutcomeUnknown: MongoDB did not say whether the transaction is committed.
        Unavailable: the database does not answer, or other writers kept this writer out until the deadline.
    """
    with bounded(database.write_deadline):
        for _ in range(_TRIES):
            try:
                return await in_transaction(database.client, work, deadline=database.write_deadline)
            except DuplicateKeyError:
                # The id of an expired session is taken until its erasure. Or two writers conflicted on a unique key:
                # the next attempt finds the document of the other one.
                if session_id is not None:
                    await expiry.erase(database, session_id)
            except ErasureUnderWay as met:
                await expiry.finish(database, met.job)
    raise Unavailable("other writes of the same session, user or uuid are under way: try again")


async def write_of_user(database: Database, user_id: str, work: Callable[[Transaction], Awaitable[T]]) -> T:
    """Run `work(tx)` in a transaction, while no other writer of this process writes the user's document.

    Args:
        database: the open database.
        user_id: the user whose document is written.
        work: reads and writes with the given transaction; it may run several times.

    Raises:
        OutcomeUnknown: MongoDB did not say whether the transaction is committed.
        Unavailable: the database does not answer, or other writers kept this writer out until the deadline.
    """
    with bounded(database.write_deadline) as until:
        async with _lock_of_user(database, user_id, until):
            return await write(database, work)


def next_revision(document: MessageDocument | SessionDocument) -> int:
    """Return the revision of a document after a change; a document of an earlier version has no revision."""
    return document.get("revision", 0) + 1


@asynccontextmanager
async def _user_lock(database: Database, session_id: str, user_id: str | None, until: float) -> AsyncIterator[None]:
    """Queue the sessions that are given to one user, which write its document; later writes to them do not."""
    if user_id is None or (session_id, user_id) in database.settled:
        yield
        return
    async with _lock_of_user(database, user_id, until):
        yield
    database.settle(session_id, user_id)


def _lock_of_user(database: Database, user_id: str, until: float) -> AbstractAsyncContextManager[None]:
    return held(database.write_lock(f"user\0{user_id}"), until, database.write_deadline)
