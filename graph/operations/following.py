"""The sources of subscriptions, with checks of the caller and of the start."""

from __future__ import annotations

from graph.errors import BadUserInput, Forbidden, NotFound, shown
from graph.live.messages import MessagesAdded, MessagesUpdated, UpdatePlace
from graph.live.pieces import BEGINNING, MessageStreamed
from graph.live.sessions import SessionsUpdated, time_of
from graph.live.typing_notices import TypingNoticed
from graph.operations import validation
from graph.operations.backend import Backend
from graph.store.documents import SessionDocument, now
from graph.store.feed.changes import Moment, current_moment
from graph.store.feed.following import session_state, time_of_revision
from graph.store.messages import find_meant
from graph.store.scope import Scope
from graph.store.streams.reading import next_index


async def messages_added(
    backend: Backend, scope: Scope, session_id: str, after_seq: int | None = None
) -> MessagesAdded:
    """Follow the messages of a session after a seq, stored and new ones; by default only new ones.

    A session may be followed before it exists. For an end user, a session of another user is as one that does not
    exist: its events are left out, and the follower begins when the caller has a session with the id.

    Raises:
        BadUserInput: `after_seq` is negative, or greater than the last seq of the session.
    """
    validation.check_id(session_id, "sessionId")
    if after_seq is not None and after_seq < 0:
        raise BadUserInput(f"afterSeq must be 0 or more, not {after_seq}: send 0 for every message")
    session = await _visible(backend, scope, session_id)
    if after_seq is not None and after_seq > _last_seq(session):
        # This read may lag behind one on another replica: read again with all acknowledged writes.
        moment = await current_moment(backend.database)
        session = await _visible(backend, scope, session_id, moment)
        if after_seq > _last_seq(session):
            raise BadUserInput(
                f"afterSeq is {after_seq}, and the last message of the session is {_last_seq(session)}: send the seq of"
                " the last message that you have, 0 for every message, or leave afterSeq out for new messages"
            )
    return MessagesAdded(
        database=backend.database,
        scope=scope,
        place=_last_seq(session) if after_seq is None else after_seq,
        is_visible=session is not None,
        session_id=session_id,
        session_uuid=None if session is None else session["uuid"],
    )


async def messages_updated(
    backend: Backend, scope: Scope, session_id: str, since_revision: int | None = None
) -> MessagesUpdated:
    """Follow the edits, deletions and finished enrichments of a session's messages after a revision of the session.

    By default, only those from now on.

    Raises:
        BadUserInput: `since_revision` is negative, or greater than the revision of the session.
    """
    validation.check_id(session_id, "sessionId")
    if since_revision is not None and since_revision < 0:
        raise BadUserInput(f"sinceRevision must be 0 or more, not {since_revision}: send 0 for every change")
    session = await _visible(backend, scope, session_id)
    if since_revision is not None and since_revision > _revision(session):
        # This read may lag behind one on another replica: read again with all acknowledged writes.
        moment = await current_moment(backend.database)
        session = await _visible(backend, scope, session_id, moment)
        if since_revision > _revision(session):
            raise BadUserInput(
                f"sinceRevision is {since_revision}, and the session has revision {_revision(session)}: send a revision"
                " that you got of this session, or read the session again, which may be a new one with the same id"
            )
    place = UpdatePlace(_revision(session), now())
    if since_revision is not None and session is not None:
        time = await time_of_revision(backend.database, session, since_revision)
        place = UpdatePlace(since_revision, time)
    return MessagesUpdated(
        database=backend.database,
        scope=scope,
        place=place,
        resumes=since_revision is not None,
        read_to=place.revision,
        is_visible=session is not None,
        session_id=session_id,
        session_uuid=None if session is None else session["uuid"],
    )


async def sessions_updated(
    backend: Backend, scope: Scope, user_id: str | None = None, since_revision: str | None = None
) -> SessionsUpdated:
    """Follow the new, changed and deleted sessions of a user, or of the caller's whole scope, after a place.

    By default, only those from now on.

    Raises:
        BadUserInput: `since_revision` is not a time.
        Forbidden: the user is outside the caller's scope.
    """
    if user_id is not None:
        validation.check_id(user_id, "userId")
        if scope.user_id not in (None, user_id):
            raise Forbidden("userId must be your own")
    place = None if since_revision is None else time_of(since_revision)
    if place is None and since_revision is not None:
        raise BadUserInput(
            f"sinceRevision must be the revision of a SessionUpdate, or a time with its offset as updatedAt has it, not"
            f" {shown(since_revision)}"
        )
    return SessionsUpdated(
        database=backend.database,
        scope=scope,
        place=place or now(),
        resumes=place is not None,
        user_id=user_id or scope.user_id,
    )


async def typing_notices(backend: Backend, scope: Scope, session_id: str) -> TypingNoticed:
    """Follow the notices of who writes in a session, from now on.

    Raises:
        BadUserInput: the id is refused.
    """
    validation.check_id(session_id, "sessionId")
    session = await _visible(backend, scope, session_id)
    return TypingNoticed(
        database=backend.database,
        scope=scope,
        place=now(),
        is_visible=session is not None,
        session_id=session_id,
        session_uuid=None if session is None else session["uuid"],
    )


async def message_stream(backend: Backend, scope: Scope, uuid: str, after_index: int | None = None) -> MessageStreamed:
    """Follow the pieces of a message after an index, stored and new ones, and its end; by default from the first.

    Raises:
        BadUserInput: `after_index` is less than -1, or the message has no piece with this index yet.
        NotFound: the message is not in the caller's scope.
    """
    uuid = validation.check_uuid(uuid, "uuid")
    if after_index is not None and after_index < BEGINNING:
        raise BadUserInput(f"afterIndex must be -1 or more, not {after_index}: leave it out for every piece")
    message = await find_meant(backend.database, scope, uuid, {"sessionId", "seq", "memoryId"})
    if message is None:
        raise NotFound(f"there is no message {uuid}: start it with startMessage first")
    if after_index is not None:
        moment = await current_moment(backend.database)  # as another replica may have stored the piece
        _check_has_piece(after_index, await next_index(backend.database, message, moment))
    session = await session_state(backend.database, message["sessionId"], None)
    return MessageStreamed(
        database=backend.database,
        scope=scope,
        place=BEGINNING if after_index is None else after_index,
        session_id=message["sessionId"],
        session_uuid=None if session is None else session["uuid"],
        uuid=message["_id"],
        seq=message["seq"],
    )


async def _visible(
    backend: Backend, scope: Scope, session_id: str, after: Moment | None = None
) -> SessionDocument | None:
    session = await session_state(backend.database, session_id, after)
    return session if session is not None and scope.sees_session(session) else None


def _check_has_piece(index: int, next_one: int | None) -> None:
    if next_one is not None and index >= next_one:
        raise BadUserInput(
            f"afterIndex is {index}, and the next piece of the message is {next_one}: send the index of the last piece"
            " that you have, or leave it out for every piece"
        )


def _revision(session: SessionDocument | None) -> int:
    return 0 if session is None else session.get("revision", 0)


def _last_seq(session: SessionDocument | None) -> int:
    return 0 if session is None else int(session["lastSeq"])
