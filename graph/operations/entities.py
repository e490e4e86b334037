"""Reading entities: names that sessions, users, memories and messages mention, and where."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graph.errors import BadUserInput
from graph.operations import validation
from graph.operations.backend import Backend
from graph.store.documents import Document
from graph.store.entities import reading as store
from graph.store.keyset import Listing
from graph.store.visible import Visible

_MOST_LABELS = 100
_MOST_SEARCH_BYTES = 256


def list_session_entities(
    backend: Backend, visible: Visible, *, labels: Collection[str] | None = None, search: str | None = None
) -> Listing:
    """The visible entities of a session, most mentioned first.

    Args:
        backend: the open parts of this process.
        visible: the part of the session.
        labels: only entities with one of these labels.
        search: only names that contain this text, whatever its case.

    Raises:
        BadUserInput: an argument is not accepted.
    """
    _check(labels, search)
    return store.list_session_entities(backend.database, visible, labels=labels, search=search)


def list_user_entities(
    backend: Backend, user_id: str, *, labels: Collection[str] | None = None, search: str | None = None
) -> Listing:
    """The entities of a user who was read within the caller's scope; otherwise as those of a session."""
    _check(labels, search)
    return store.list_user_entities(backend.database, user_id, labels=labels, search=search)


def _check(labels: Collection[str] | None, search: str | None = None) -> None:
    if search is not None:
        validation.check_text(search, "search", most_bytes=_MOST_SEARCH_BYTES, empty=True)
    if labels is not None and len(labels) > _MOST_LABELS:
        raise BadUserInput(f"labels has {len(labels):,} items, and at most {_MOST_LABELS:,} are accepted")


async def find_session_entity(backend: Backend, visible: Visible, key: str) -> Document | None:
    """One visible entity of a session by its key; of a short name, the entity that it stands for."""
    return await store.find_session_entity(backend.database, visible, key)


async def find_user_entity(backend: Backend, user_id: str, key: str) -> Document | None:
    """One entity of a user who was read within the caller's scope; otherwise as that of a session."""
    return await store.find_user_entity(backend.database, user_id, key)


async def entities_of_memory(
    backend: Backend, memory: Document, *, labels: Sequence[str] | None = None, limit: int = validation.MAX_PAGE
) -> list[Document]:
    """The entities of a persisted memory's messages, most mentioned first.

    Args:
        backend: the open parts of this process.
        memory: read within the caller's scope, with `uuid`, `lastSeq` and what `Visible.of_memory` reads.
        labels: only entities with one of these labels.
        limit: the maximum number.

    Raises:
        BadUserInput: an argument is not accepted.
    """
    _check(labels)
    return await store.entities_in_range(
        backend.database,
        Visible.of_memory(memory),
        f"e:{memory['uuid']}",
        labels=labels,
        last_seq=memory["lastSeq"],
        limit=validation.check_limit(limit),
    )


async def list_messages_that_mention(backend: Backend, entity: Document) -> Listing:
    """The messages within the scope of an entity that mention it, oldest first.

    Args:
        backend: the open parts of this process.
        entity: read within the caller's scope: of a user, of a session, or of a part of a session.
    """
    if entity["scope"].startswith("u:"):
        return await store.list_messages_of_user_that_mention(backend.database, entity)
    return store.list_messages_that_mention(
        backend.database, Visible.of_entity(entity), entity["keys"], last_seq=entity.get("lastSeq")
    )


def list_sessions_that_mention(backend: Backend, entity: Document) -> Listing:
    """The sessions of a user that mention an entity of the user, the first to do so first, with `sessionId`."""
    return store.list_sessions_that_mention(backend.database, entity)


async def mentions(backend: Backend, asked: Sequence[tuple[Document, int | None]]) -> list[list[Document]]:
    """The matches of each entity that was read within the caller's scope, at most as many as its number says."""
    return await store.mentions_of_all(backend.database, asked)
