"""Sessions."""

from __future__ import annotations

from starlette.responses import Response

from graph.errors import BadUserInput, NotFound, Unavailable, shown
from graph.operations import sessions as operations
from graph.operations.numbering import numbered_session, sessions_by_number
from graph.operations.users import find_user
from graph.store.documents import Document, SessionDocument
from graph.zep.http import Call, json_answer, needed_text, text_of
from graph.zep.shapes import own_metadata, session_of


async def add(call: Call) -> Response:
    """Make a session; its user must exist."""
    body = await call.body()
    session_id, user_id = needed_text(body, "session_id"), text_of(body, "user_id") or None
    if user_id is not None and await find_user(call.backend, call.scope, user_id, {"_id"}) is None:
        message = f"there is no user {shown(user_id)}: add it first"
        raise BadUserInput(message)
    session = await operations.create_session(
        call.backend, call.scope, session_id, user_id=user_id, metadata=own_metadata(body.get("metadata"))
    )
    return json_answer(await _changed(call, session), 201)


async def all_of(call: Call) -> Response:
    """The sessions with an `id` above the cursor, ascending."""
    limit, cursor = call.limit(), call.number("cursor")
    found = await sessions_by_number(call.backend, call.scope, after=cursor, limit=limit)
    return json_answer([session_of(session) for session in found])


async def get(call: Call) -> Response:
    """One session."""
    session_id = call.path("session_id")
    session = await operations.find_session(call.backend, call.scope, session_id)
    if session is None:
        message = f"there is no session {shown(session_id)}"
        raise NotFound(message)
    return json_answer(await _numbered(call, session))


async def update(call: Call) -> Response:
    """Merge metadata into a session; other fields of the body can't change and are ignored, as Zep does."""
    body = await call.body()
    session = await operations.update_session(
        call.backend, call.scope, call.path("session_id"), metadata=own_metadata(body.get("metadata"))
    )
    return json_answer(await _changed(call, session))


async def _numbered(call: Call, session: SessionDocument) -> Document:
    return session_of(await numbered_session(call.backend, session))


async def _changed(call: Call, session: SessionDocument) -> Document:
    """Return a session that is stored, without its number if MongoDB no longer answers: the change did not fail."""
    try:
        return await _numbered(call, session)
    except Unavailable:
        return session_of(session)
