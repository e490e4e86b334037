"""Reads of entities: the names that sessions, users, memories and messages mention, and their matches."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graph.errors import BadUserInput
from graph.operations import validation
from graph.operations.backend import Backend
from graph.store.documents import Document, EntityDocument, mention_count
from graph.store.entities import on_path
from graph.store.entities import reading as store
from graph.store.jobs import expiry
from graph.store.reading.keyset import Items, Listing
from graph.store.visible import Visible

_MOST_LABELS = 100
_MESSAGES_OF_COST = 10
"""Messages that cost 1 where MongoDB counts their entities: an object of an answer takes about as long."""
_MOST_SEARCH_BYTES = 256


def count_mentions(entity: EntityDocument) -> int:
    """Return the number of mentions of an entity in a message, in its content and in its tools."""
    return mention_count(entity)


def list_session_entities(
    backend: Backend, visible: Visible, *, labels: Collection[str] | None = None, search: str | None = None
) -> Listing:
    """Return the visible entities of a session whose messages form one line, most mentioned first.

    Args:
        backend: the open parts of this process.
        visible: the part of the session, without a path.
        labels: only entities with one of these labels.
        search: only names that contain this text, ignoring case.

    Raises:
        BadUserInput: an argument is not accepted.
    """
    _check(labels, search)
    return store.list_session_entities(backend.database, visible, labels=labels, search=search)


def cost_of_path(visible: Visible) -> int:
    """Return the cost of `entities_on_path`, in addition to the cost of the returned objects."""
    return on_path.most_messages(visible) // _MESSAGES_OF_COST


async def entities_on_path(backend: Backend, visible: Visible) -> list[Document]:
    """Return the entities of the newest messages on the path of a session with branches, most mentioned first."""
    return await on_path.entities_on_path(backend.database, visible)


def choose_entities(
    entities: Sequence[Document], *, labels: Collection[str] | None = None, search: str | None = None
) -> Items:
    """Return some of the entities of `entities_on_path`, as `list_session_entities` chooses entities of a session."""
    _check(labels, search)
    return on_path.among(entities, labels, search)


async def list_user_entities(
    backend: Backend, user_id: str, *, labels: Collection[str] | None = None, search: str | None = None
) -> Listing:
    """Return the entities of a user in the caller's scope, with the arguments of `list_session_entities`."""
    _check(labels, search)
    await expiry.erase_of_user(backend.database, user_id)
    return store.list_user_entities(backend.database, user_id, labels=labels, search=search)


def _check(labels: Collection[str] | None, search: str | None = None) -> None:
    if search is not None:
        validation.check_text(search, "search", most_bytes=_MOST_SEARCH_BYTES, empty=True)
    if labels is not None and len(labels) > _MOST_LABELS:
        raise BadUserInput(f"labels has {len(labels):,} items, and at most {_MOST_LABELS:,} are accepted")


async def find_session_entity(backend: Backend, visible: Visible, key: str) -> Document | None:
    """Return a visible entity of a session whose messages form one line, by its key.

    For a short name, it is the entity of the full name.
    """
    return await store.find_session_entity(backend.database, visible, key)


async def find_user_entity(backend: Backend, user_id: str, key: str) -> Document | None:
    """Return an entity of a user in the caller's scope by its key, like `find_session_entity`."""
    await expiry.erase_of_user(backend.database, user_id)
    return await store.find_user_entity(backend.database, user_id, key)


async def entities_of_memory(
    backend: Backend, memory: Document, *, labels: Sequence[str] | None = None, limit: int = validation.MAX_PAGE
) -> list[Document]:
    """Return the entities of a persisted memory's messages, most mentioned first.

    Args:
        backend: the open parts of this process.
        memory: a memory in the caller's scope, with `uuid`, `lastSeq` and the paths that `Visible.of_memory` reads.
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
    """Return the messages that mention an entity, oldest first.

    Args:
        backend: the open parts of this process.
        entity: an entity in the caller's scope, of a user, a session, or a part of a session.
    """
    if entity["scope"].startswith("u:"):
        return await store.list_messages_of_user_that_mention(backend.database, entity)
    return store.list_messages_that_mention(
        backend.database, Visible.of_entity(entity), entity["keys"], last_seq=entity.get("lastSeq")
    )


def list_sessions_that_mention(backend: Backend, entity: Document) -> Listing:
    """Return the sessions of a user that mention an entity of the user, in the order of the first mention."""
    return store.list_sessions_that_mention(backend.database, entity)


async def mentions(backend: Backend, asked: Sequence[tuple[Document, int | None]]) -> list[list[Document]]:
    """Return the matches of each entity, which must be in the caller's scope, at most the number given with it."""
    return await store.mentions_of_all(backend.database, asked)
