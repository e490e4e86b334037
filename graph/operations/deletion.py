"""Deletion of a session's memory."""

from __future__ import annotations

from graph.operations import validation
from graph.operations.backend import Backend
from graph.store.jobs import erasure
from graph.store.scope import Scope
from graph.store.sessions import delete_contents


async def delete_memory(backend: Backend, scope: Scope, session_id: str) -> None:
    """Delete all messages, memories and summaries of a session. The session stays, and continues its numbering.

    Raises:
        BadUserInput: `session_id` is not a valid id.
        NotFound: the caller sees no such session.
    """
    job = await delete_contents(backend.database, scope, validation.check_id(session_id, "sessionId"))
    if job is not None:
        erasure.begin(backend.database, job)
