"""What subscriptions follow, checked: who may, and from where."""

from __future__ import annotations

from graph.errors import BadUserInput, Forbidden
from graph.live.source import MessagesAdded, MessagesUpdated, SessionsUpdated
from graph.operations import validation
from graph.operations.backend import Backend
from graph.store.documents import SessionDocument, now
from graph.store.feed.changes import Moment, current_moment
from graph.store.feed.following import session_state
from graph.store.scope import Scope


async def messages_added(
    backend: Backend, scope: Scope, session_id: str, after_seq: int | None = None
) -> MessagesAdded:
    """The messages of a session after a place, stored and to come; by default only those to come.

    A session that does not exist is waited for; a user can't tell a session of another user from one that does
    not exist, so a user makes a session before following it.

    Raises:
        BadUserInput: the session has not come so far.
        Forbidden: the caller is a user, and has no such session.
    """
    validation.check_id(session_id, "sessionId")
    if after_seq is not None and after_seq < 0:
        raise BadUserInput(f"afterSeq must be 0 or more, not {after_seq}: 0 gives every message")
    session = await _visible(backend, scope, session_id)
    if after_seq is not None and after_seq > _last_seq(session):
        # A reader of another server may have seen more than this read: ask again for all that is acknowledged.
        moment = await current_moment(backend.database)
        session = await _visible(backend, scope, session_id, moment)
        if after_seq > _last_seq(session):
            raise BadUserInput(
                f"afterSeq is {after_seq}, and the last message of the session is {_last_seq(session)}: send the seq of"
                " the last message that you have, 0 for every message, or leave it out for those to come"
            )
    return MessagesAdded(
        database=backend.database,
        scope=scope,
        place=_last_seq(session) if after_seq is None else after_seq,
        known=session is not None,
        session_id=session_id,
        session_uuid=None if session is None else session["uuid"],
    )


async def messages_updated(backend: Backend, scope: Scope, session_id: str) -> MessagesUpdated:
    """The edits, deletions and finished enrichments of a session's messages from now on.

    Raises:
        Forbidden: the caller is a user, and has no such session.
    """
    validation.check_id(session_id, "sessionId")
    session = await _visible(backend, scope, session_id)
    return MessagesUpdated(
        database=backend.database,
        scope=scope,
        place=now(),
        known=session is not None,
        session_id=session_id,
        session_uuid=None if session is None else session["uuid"],
    )


async def sessions_updated(backend: Backend, scope: Scope, user_id: str | None = None) -> SessionsUpdated:
    """The new and changed sessions of a user, or of all that the caller may see, from now on.

    Raises:
        Forbidden: the user is another.
    """
    if user_id is not None:
        validation.check_id(user_id, "userId")
        if scope.user_id not in (None, user_id):
            raise Forbidden("userId must be your own")
    return SessionsUpdated(database=backend.database, scope=scope, place=now(), user_id=user_id or scope.user_id)


async def _visible(
    backend: Backend, scope: Scope, session_id: str, after: Moment | None = None
) -> SessionDocument | None:
    session = await session_state(backend.database, session_id, after)
    if scope.user_id is not None and (session is None or not scope.sees_session(session)):
        raise Forbidden("you have no session with that sessionId: make it with createSession or addMemory first")
    return session


def _last_seq(session: SessionDocument | None) -> int:
    return 0 if session is None else int(session["lastSeq"])
