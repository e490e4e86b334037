"""The messages of a session."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from graph.errors import BadUserInput, NotFound, shown
from graph.operations import messages as operations
from graph.operations.sessions import find_session
from graph.operations.validation import MAX_PAGE, check_uuid
from graph.store.documents import Document, MessageDocument
from graph.store.visible import Visible
from graph.zep.http import Call, json_answer
from graph.zep.shapes import MESSAGE, message_of, own_metadata

_PAGE = 100
"""Messages of a page whose size is not given."""

_FIELDS_OF_A_MESSAGE = {"uuid", "created_at", "updated_at", "role", "content", "token_count", "metadata"}


async def all_of(call: Call) -> Response:
    """A page of the messages, oldest first; without parameters, the first 1,000."""
    cursor = call.number("cursor", least=1)
    size = call.limit(MAX_PAGE if cursor is None else _PAGE)
    session_id = call.path("session_id")
    session = await find_session(
        call.backend, call.scope, session_id, {"messageCount", "lastSeq", *Visible.HEAD_FIELDS}
    )
    if session is None:
        return json_answer({"messages": [], "total_count": 0, "row_count": 0})
    skip = ((cursor or 1) - 1) * size
    found = await operations.page_of_messages(call.backend, session, MESSAGE, skip=skip, limit=size)
    return json_answer(
        {
            "messages": [message_of(message) for message in found],
            "total_count": await operations.count_messages(call.backend, session),
            "row_count": len(found),
        }
    )


async def get(call: Call) -> Response:
    """One message."""
    return json_answer(message_of(await _message(call)))


async def update(call: Call) -> Response:
    """Merge metadata into a message."""
    metadata = _metadata(await call.body())
    message = await _message(call)
    changed = await operations.update_message(call.backend, call.scope, message["_id"], metadata=metadata)
    return json_answer(message_of(changed))


def _metadata(body: Document) -> Any:
    """The metadata to merge: `{"metadata": {…}}`, or the bare map, which the Python client sends."""
    if "metadata" not in body or not body.keys() <= _FIELDS_OF_A_MESSAGE:
        return own_metadata(body)
    if not isinstance(body["metadata"], dict):
        raise BadUserInput("metadata must be a JSON object")
    return own_metadata(body["metadata"])


async def _message(call: Call) -> MessageDocument:
    uuid = check_uuid(call.path("message_id"), "the message's uuid")
    session_id = call.path("session_id")
    found = await operations.find_message(call.backend, call.scope, uuid, {*MESSAGE, "sessionId"})
    if found is None or found["sessionId"] != session_id:
        message = f"session {shown(session_id)} has no message {uuid}"
        raise NotFound(message)
    return found
