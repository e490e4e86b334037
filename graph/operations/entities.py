"""Reading entities: names that sessions, users, memories and messages mention, and where."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graph.errors import BadUserInput
from graph.operations import validation
from graph.operations.backend import Backend
from graph.store.documents import Document
from graph.store.entities import owners
from graph.store.entities import reading as store
from graph.store.keyset import Listing
from graph.store.visible import Visible

_MOST_LABELS = 100
_MOST_SEARCH_BYTES = 256


def list_session_entities(
    backend: Backend, session_id: str, *, labels: Collection[str] | None = None, search: str | None = None
) -> Listing:
    """The entities of a session that was read within the caller's scope, most mentioned first.

    Args:
        backend: the open parts of this process.
        session_id: the session.
        labels: only entities with one of these labels.
        search: only names that contain this text, whatever its case.

    Raises:
        BadUserInput: an argument is not accepted.
    """
    return _list(backend, owners.session_owner(session_id), labels, search)


def list_user_entities(
    backend: Backend, user_id: str, *, labels: Collection[str] | None = None, search: str | None = None
) -> Listing:
    """The entities of a user who was read within the caller's scope; otherwise as those of a session."""
    return _list(backend, owners.user_owner(user_id), labels, search)


def _list(backend: Backend, owner: str, labels: Collection[str] | None, search: str | None) -> Listing:
    _check_labels(labels)
    if search is not None:
        validation.check_text(search, "search", most_bytes=_MOST_SEARCH_BYTES, empty=True)
    return store.list_entities(backend.database, owner, labels=labels, search=search)


def _check_labels(labels: Collection[str] | None) -> None:
    if labels is not None and len(labels) > _MOST_LABELS:
        raise BadUserInput(f"labels has {len(labels):,} items, and at most {_MOST_LABELS:,} are accepted")


async def find_entity(backend: Backend, owner: str, key: str) -> Document | None:
    """One entity of a session or a user that was read within the caller's scope.

    Args:
        backend: the open parts of this process.
        owner: the scope of the entity, as its id has it.
        key: the key of the entity; of a short name, the entity that it stands for is found.
    """
    return await store.find_entity(backend.database, owner, key)


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
    _check_labels(labels)
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
