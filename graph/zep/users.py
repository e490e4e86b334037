"""Users."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from graph.errors import NotFound, Unavailable, shown
from graph.operations import users as operations
from graph.operations.numbering import numbered_user, sessions_by_number, users_by_number
from graph.operations.validation import MAX_PAGE
from graph.store.documents import Document, UserDocument
from graph.zep.http import Call, json_answer, needed_text, ok_answer, text_of
from graph.zep.shapes import own_metadata, session_of, user_of


async def add(call: Call) -> Response:
    """Make a user."""
    body = await call.body()
    user = await operations.create_user(
        call.backend,
        call.scope,
        needed_text(body, "user_id"),
        metadata=own_metadata(body.get("metadata")),
        **_fields(body),
    )
    return json_answer(await _changed(call, user), 201)


async def all_of(call: Call) -> Response:
    """The users with an `id` above the cursor, ascending."""
    limit, cursor = call.limit(), call.number("cursor")
    found = await users_by_number(call.backend, call.scope, after=cursor, limit=limit)
    return json_answer([user_of(user) for user in found])


async def get(call: Call) -> Response:
    """One user."""
    return json_answer(await _numbered(call, await _user(call)))


async def update(call: Call) -> Response:
    """Change the fields that are sent, and merge the metadata."""
    body = await call.body()
    user = await operations.update_user(
        call.backend, call.scope, call.path("user_id"), metadata=own_metadata(body.get("metadata")), **_fields(body)
    )
    return json_answer(await _changed(call, user))


async def delete(call: Call) -> Response:
    """Delete a user, with its sessions."""
    await operations.delete_user(call.backend, call.scope, call.path("user_id"))
    return ok_answer()


async def sessions_of(call: Call) -> Response:
    """The sessions of a user."""
    user = await _user(call)
    found = await sessions_by_number(call.backend, call.scope, limit=MAX_PAGE, user_id=user["_id"])
    return json_answer([session_of(session) for session in found])


def _fields(body: Document) -> dict[str, Any]:
    """The fields that are sent with a value: the clients leave out the others."""
    sent = {name: text_of(body, name) for name in ("email", "first_name", "last_name")}
    return {name: value for name, value in sent.items() if value is not None}


async def _user(call: Call) -> UserDocument:
    user_id = call.path("user_id")
    user = await operations.find_user(call.backend, call.scope, user_id)
    if user is None:
        message = f"there is no user {shown(user_id)}"
        raise NotFound(message)
    return user


async def _numbered(call: Call, user: UserDocument) -> Document:
    return user_of(await numbered_user(call.backend, user))


async def _changed(call: Call, user: UserDocument) -> Document:
    """Return a user that is stored, without its number if MongoDB no longer answers: the change did not fail."""
    try:
        return await _numbered(call, user)
    except Unavailable:
        return user_of(user)
