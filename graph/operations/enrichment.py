"""The state of enrichment, and trying again what failed."""

from __future__ import annotations

from graph.errors import BadUserInput, Forbidden, NotFound, shown
from graph.operations import validation
from graph.operations.backend import Backend
from graph.store.documents import Document
from graph.store.jobs import progress
from graph.store.messages import find_meant
from graph.store.scope import Scope
from graph.store.sessions import find_session


async def enrichment_progress(backend: Backend, scope: Scope) -> Document:
    """How far the enrichment of all messages is.

    Raises:
        Forbidden: the caller sees only what is theirs.
    """
    if scope.user_id is not None:
        raise Forbidden("the state of the whole service is not for end users: ask for a session's own enrichment")
    return await progress.progress(backend.database, model=await backend.embedding_model())


async def session_progress(backend: Backend, session_id: str) -> Document:
    """How far the enrichment of a session is.

    Args:
        backend: the open parts of this process.
        session_id: of a session that the caller has been found to see.
    """
    return await progress.progress(backend.database, session_id, model=await backend.embedding_model())


async def retry_enrichment(
    backend: Backend, scope: Scope, *, session_id: str | None = None, uuid: str | None = None
) -> int:
    """Make failed messages pending again, with all their attempts before them.

    Args:
        backend: the open parts of this process.
        scope: what the caller may see.
        session_id: those of this session.
        uuid: this message; exactly one of both is given.

    Returns:
        How many were begun again.

    Raises:
        BadUserInput: neither or both are sent, or `uuid` is not a UUID.
        NotFound: the caller sees no such session or message.
    """
    if (session_id is None) == (uuid is None):
        raise BadUserInput("give sessionId or uuid, one of both")
    if session_id is not None:
        validation.check_id(session_id, "sessionId")
        if await find_session(backend.database, scope, session_id, {"_id"}) is None:
            raise NotFound(f"there is no session {shown(session_id)}")
        return await progress.retry(backend.database, session_id=session_id)
    uuid = validation.check_uuid(uuid or "", "uuid")
    message = await find_meant(backend.database, scope, uuid, {"_id"})
    if message is None:
        raise NotFound(f"there is no message {uuid}")
    return await progress.retry(backend.database, uuid=message["_id"])
