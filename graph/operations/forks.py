"""Forks of sessions."""

from __future__ import annotations

from graph.operations import validation
from graph.operations.backend import Backend
from graph.operations.sessions import check_user_id
from graph.store.documents import Document
from graph.store.forking import forks
from graph.store.forking.forks import Charge, Fork, Forked
from graph.store.jobs import forking
from graph.store.scope import Scope


async def fork_session(
    backend: Backend,
    scope: Scope,
    session_id: str,
    through_seq: int,
    new_session_id: str,
    *,
    charge: Charge,
    user_id: str | None = None,
) -> Forked:
    """Create a session with copies of the messages of another one, up to a number; begin to create a large one.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        session_id: the session with the messages.
        through_seq: the number of the last message that is copied.
        new_session_id: the id of the new session.
        charge: charges the caller for the number of messages to copy; a fork that exists costs nothing more.
        user_id: the user of the new session, for a source without a user.

    Raises:
        BadUserInput: an argument is refused, or the messages are too many.
        Conflict: the new id is in use, or the source belongs to another user.
        Forbidden: the caller may not create a session with the new id, or not for the user.
        NotFound: the source is not in the caller's scope.
        TooCostly: the user has too many forks that are being made, or the caller's budget is spent.
    """
    fork = Fork(
        validation.check_id(session_id, "sessionId"),
        validation.check_seq(through_seq, "throughSeq"),
        validation.check_id(new_session_id, "newSessionId"),
        check_user_id(scope, user_id),
    )
    forked = await forks.fork_session(backend.database, scope, fork, charge)
    if forked.session is None:
        forking.begin(backend.database)
    return forked


async def find_fork(backend: Backend, scope: Scope, session_id: str) -> Document | None:
    """Return the state of a fork, in the form of `Forked.fork`; None where the caller sees no fork of this id."""
    return await forks.find_fork(backend.database, scope, session_id) if validation.is_id(session_id) else None
