"""The progress of enrichment, and the retry of failed messages."""

from __future__ import annotations

from collections.abc import Collection

from graph.errors import BadUserInput, Forbidden, NotFound, shown
from graph.operations import validation
from graph.operations.backend import Backend
from graph.store.documents import Document, MessageDocument
from graph.store.jobs import progress
from graph.store.messages import find_meant, find_messages
from graph.store.scope import Scope
from graph.store.sessions import find_session
from graph.store.visible import Visible


async def enrichment_progress(backend: Backend, scope: Scope) -> Document:
    """Return the progress of the enrichment of all messages.

    Raises:
        Forbidden: the caller's scope is one user.
    """
    _check_whole(scope)
    return await progress.progress(backend.database, model=await backend.embedding_model())


def _check_whole(scope: Scope) -> None:
    if scope.user_id is not None:
        raise Forbidden("end users can't read the enrichment of the whole service: select the enrichment of a session")


async def failed_messages(
    backend: Backend, scope: Scope, fields: Collection[str], first: int | None
) -> list[MessageDocument]:
    """Return messages whose enrichment failed, oldest first, with `fields` and `_id`.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        fields: the paths to read.
        first: maximum number of messages.

    Raises:
        BadUserInput: `first` is out of range.
        Forbidden: the caller's scope is one user.
    """
    _check_whole(scope)
    limit = validation.check_first(first)
    uuids = await progress.failed_messages(backend.database, limit) if limit else []
    found = {message["_id"]: message for message in await find_messages(backend.database, scope, uuids, fields)}
    return [found[uuid] for uuid in uuids if uuid in found]


async def session_progress(backend: Backend, visible: Visible) -> Document:
    """Return the progress of the enrichment of a session.

    Args:
        backend: the open parts of this process.
        visible: the visible part of a session in the caller's scope.
    """
    return await progress.progress(backend.database, visible, model=await backend.embedding_model())


async def retry_enrichment(
    backend: Backend, scope: Scope, *, session_id: str | None = None, uuid: str | None = None
) -> int:
    """Make failed messages pending again, with their attempts reset. Give either `session_id` or `uuid`.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        session_id: retry the messages of this session.
        uuid: retry this message.

    Returns:
        The number of messages that are pending again.

    Raises:
        BadUserInput: neither or both are sent, or `uuid` is not a UUID.
        NotFound: the caller sees no such session or message.
    """
    if (session_id is None) == (uuid is None):
        raise BadUserInput("give either sessionId or uuid")
    if session_id is not None:
        validation.check_id(session_id, "sessionId")
        session = await find_session(backend.database, scope, session_id, Visible.FIELDS)
        if session is None:
            raise NotFound(f"there is no session {shown(session_id)}")
        return await progress.retry(backend.database, Visible.of(session))
    uuid = validation.check_uuid(uuid or "", "uuid")
    message = await find_meant(backend.database, scope, uuid, {"_id"})
    if message is None:
        raise NotFound(f"there is no message {uuid}")
    return await progress.retry(backend.database, uuid=message["_id"])
