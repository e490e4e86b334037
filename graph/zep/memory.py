"""A session's memory."""

from __future__ import annotations

from starlette.responses import Response

from graph.errors import BadUserInput, NotFound, shown
from graph.operations.deletion import delete_memory
from graph.operations.memory import MessageToAdd, add_memory
from graph.operations.memory_window import recalled_messages
from graph.operations.sessions import find_session
from graph.operations.summaries import newest_summary
from graph.operations.validation import MAX_LAST, MAX_MESSAGES
from graph.store.documents import Document
from graph.store.visible import Visible
from graph.zep.http import Call, json_answer, needed_text, ok_answer, text_of
from graph.zep.shapes import MESSAGE, message_of, own_metadata, summary_of

_NO_UUID = "00000000-0000-0000-0000-000000000000"


async def get(call: Call) -> Response:
    """The newest summary, and the messages since, or the last ones by number; 404 for a session without messages."""
    session_id = call.path("session_id")
    last = call.number("lastn")
    last = min(last, MAX_LAST) if last else None  # Zep reads 0 as absent
    session = await find_session(
        call.backend, call.scope, session_id, {"metadata", "messageCount", "summarySeq", *Visible.HEAD_FIELDS}
    )
    if session is None or not session["messageCount"]:
        message = f"session {shown(session_id)} has no memory"
        raise NotFound(message)
    visible, summary_seq = Visible.of_head(session), session["summarySeq"]
    summary = await newest_summary(call.backend, visible) if summary_seq else None
    messages = await recalled_messages(call.backend, visible, summary_seq, MESSAGE, last=last)
    memory: Document = {"messages": [message_of(message) for message in messages]}
    if summary is not None:
        memory["summary"] = summary_of(summary)
    if metadata := own_metadata(session["metadata"]):
        memory["metadata"] = metadata
    return json_answer(memory)


async def add(call: Call) -> Response:
    """Add messages; the session is made where it is new."""
    body = await call.body()
    sent = body.get("messages")
    if sent is not None and not isinstance(sent, list):
        raise BadUserInput("messages must be a list")
    if sent is not None and len(sent) > MAX_MESSAGES:
        message = f"messages has {len(sent):,} items, and at most {MAX_MESSAGES:,} are accepted"
        raise BadUserInput(message)
    await add_memory(
        call.backend,
        call.scope,
        call.path("session_id"),
        [_message(item, f"messages[{place}]") for place, item in enumerate(sent or [])],
        metadata=own_metadata(body.get("metadata")),
    )
    return ok_answer()


def _message(item: object, name: str) -> MessageToAdd:
    if not isinstance(item, dict):
        message = f"{name} must be a JSON object"
        raise BadUserInput(message)
    if "content" not in item:
        message = f"{name}.content is missing: send a string"
        raise BadUserInput(message)
    uuid, content = text_of(item, "uuid"), text_of(item, "content")  # a null is empty, as where a message calls a tool
    return MessageToAdd(
        needed_text(item, "role", f"{name}."),
        "" if content is None else content,
        own_metadata(item.get("metadata")),
        None if uuid in ("", _NO_UUID) else uuid,  # as clients write an absent one
    )


async def delete(call: Call) -> Response:
    """Delete all messages and summaries."""
    await delete_memory(call.backend, call.scope, call.path("session_id"))
    return ok_answer()
