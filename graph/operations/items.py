"""Reads, writes and deletion of items: JSON objects of a user, by namespace and key."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from graph.errors import BadUserInput, StartupError, Unavailable
from graph.operations import validation
from graph.operations.backend import Backend
from graph.operations.bounds import refuse_larger_answer
from graph.operations.concurrency import run_on_thread
from graph.operations.item_texts import ReadTexts, check_index, read_texts, texts_of
from graph.operations.sessions import check_user_id
from graph.operations.times import check_to_come
from graph.store import items as store
from graph.store.documents import Document, JSONObject
from graph.store.item_documents import ItemDocument
from graph.store.items import ItemSelection as ItemSelection  # noqa: PLC0414 - for the schema
from graph.store.items import NewItem, Place
from graph.store.reading.keyset import Key, Listing, Page, Window
from graph.store.scope import Scope
from graph.store.users import find_user, find_users

logger = logging.getLogger(__name__)

MAX_AT_ONCE = 100
"""Maximum items of one mutation."""
MAX_LABELS = 16
MAX_LABEL_BYTES = 256
MAX_VALUE_BYTES = 262_144
MAX_TTL = 5_256_000
"""Minutes: ten years."""
MAX_EMBEDDED = 32
"""Maximum texts that one mutation or search embeds: the model takes 10 to 30 ms for each."""
ANY_LABEL = "*"


@dataclass(frozen=True, slots=True)
class ItemToPut:
    """An item as a caller sends it, unchecked.

    Attributes:
        ttl: minutes until it expires, from each write and renewal.
        expires_at: the time from which it is as deleted.
        index: the paths to the texts by which a search finds it; None for the whole value.
        expected_revision: the revision of the stored item, 0 for no item; None for any.
    """

    namespace: Sequence[str]
    key: str
    value: object
    ttl: float | None = None
    expires_at: datetime | None = None
    index: Sequence[str] | None = None
    expected_revision: int | None = None


@dataclass(frozen=True, slots=True)
class NamespaceMatch:
    """The namespaces to list, unchecked.

    Attributes:
        prefix: their first labels; `*` is any label.
        suffix: their last labels; `*` is any label.
        max_depth: the labels after this number are cut off, and equal namespaces are listed once; None for no bound.
    """

    prefix: Sequence[str] = ()
    suffix: Sequence[str] = ()
    max_depth: int | None = None


def check_namespace(labels: Sequence[str], name: str = "namespace", *, empty: bool = False) -> list[str]:
    """Check the labels of a namespace, or of its beginning or end, which may be empty.

    Raises:
        BadUserInput: they are refused.
    """
    if not labels and not empty:
        raise BadUserInput(f"{name} must have at least one label")
    if len(labels) > MAX_LABELS:
        raise BadUserInput(f"{name} has {len(labels)} labels, and at most {MAX_LABELS} are accepted")
    return [
        validation.check_text(label, f"{name}[{place}]", most_bytes=MAX_LABEL_BYTES)
        for place, label in enumerate(labels)
    ]


def check_key(key: str, name: str = "key") -> str:
    """Check the key of an item in its namespace."""
    return validation.check_id(key, name)


async def user_exists(backend: Backend, scope: Scope, user_id: str) -> bool:
    """Whether a user exists within the scope: the items of a deleted one are deleted, some of them later."""
    return validation.is_id(user_id) and await find_user(backend.database, scope, user_id, {"_id"}) is not None


async def find_item(
    backend: Backend, scope: Scope, user_id: str, at: tuple[Sequence[str], str], fields: Collection[str]
) -> ItemDocument | None:
    """Return the item of a user with a namespace and key; None without one, or for a user outside the scope.

    Raises:
        BadUserInput: no item can have the namespace or the key.
    """
    place = store.path_of(check_namespace(at[0])), check_key(at[1])
    if not await user_exists(backend, scope, user_id):
        return None
    return await store.find_item(backend.database, scope, user_id, place, fields)


async def find_items(
    backend: Backend, scope: Scope, ids: Collection[str], fields: Collection[str]
) -> list[ItemDocument]:
    """Return the items with these uuids in the caller's scope, in no order, with `fields` and `_id`."""
    found = await store.find_items(backend.database, scope, ids, fields)
    owners = await find_users(backend.database, scope, {item["userId"] for item in found}, {"_id"}) if found else []
    existing = {owner["_id"] for owner in owners}
    return [item for item in found if item["userId"] in existing]


async def check_selection(backend: Backend, scope: Scope, chosen: ItemSelection) -> bool:
    """Check which items are to be listed or searched; return whether their user exists within the scope.

    Raises:
        BadUserInput: the prefix is refused.
    """
    check_namespace(chosen.prefix, "namespacePrefix", empty=True)
    return await user_exists(backend, scope, chosen.user_id)


async def list_items(backend: Backend, scope: Scope, chosen: ItemSelection) -> Listing:
    """Return the selected items, in the order of namespaces and keys; none for a user who does not exist.

    Raises:
        BadUserInput: the prefix is refused.
    """
    known = await check_selection(backend, scope, chosen)
    return store.list_items(backend.database, scope, chosen if known else ItemSelection(""))


async def list_namespaces(
    backend: Backend, scope: Scope, user_id: str, match: NamespaceMatch, window: Window
) -> tuple[Page, int]:
    """Return a page of the namespaces in which a user has items, in order, and the number of all of them.

    Each has `userId`, `path` and `namespace`.

    Raises:
        BadUserInput: an argument is refused.
    """
    prefix = check_namespace(match.prefix, "prefix", empty=True)
    suffix = check_namespace(match.suffix, "suffix", empty=True)
    if match.max_depth is not None and match.max_depth < 1:
        raise BadUserInput(f"maxDepth must be at least 1, not {match.max_depth:,}")
    if not await user_exists(backend, scope, user_id):
        return Page([], more=False), 0
    plain = prefix[: prefix.index(ANY_LABEL)] if ANY_LABEL in prefix else prefix
    found = await store.namespaces(backend.database, scope, user_id, plain)
    paths = await run_on_thread(_meeting, found, prefix, suffix, match.max_depth)
    return _page(user_id, paths, window), len(paths)


def _meeting(found: Sequence[str], prefix: Sequence[str], suffix: Sequence[str], max_depth: int | None) -> list[str]:
    """Return the paths with a prefix and a suffix, cut after a number of labels, in order."""
    paths: set[str] = set()
    for path in found:
        labels = store.labels_of(path)
        if _meets(labels[: len(prefix)], prefix) and _meets(labels[len(labels) - len(suffix) :], suffix):
            paths.add(store.path_of(labels[:max_depth]))
    return sorted(paths)


def _meets(labels: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(labels) == len(wanted) and all(
        one in (ANY_LABEL, label) for label, one in zip(labels, wanted, strict=True)
    )


def _page(user_id: str, paths: Sequence[str], window: Window) -> Page:
    after = "" if window.after is None else window.after[0]
    between = [path for path in paths if path > after and (window.before is None or path < window.before[0])]
    chosen = between[max(0, len(between) - window.size) :] if window.backwards else between[: window.size]
    items: list[Document] = [_namespace(user_id, path) for path in chosen]
    return Page(items, more=len(between) > len(chosen))


def _namespace(user_id: str, path: str) -> Document:
    return {"userId": user_id, "path": path, "namespace": store.labels_of(path)}


async def find_namespaces(
    backend: Backend, scope: Scope, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Document]:
    """Return the namespaces, or the beginnings of some, in which users have items, each found by one document.

    Args:
        backend: the open parts of this process.
        scope: the data that the caller may see.
        keys: the users, each with a path.

    Returns:
        Those within the scope, by the given keys.
    """
    possible = {(user_id, path) for user_id, path in keys if validation.is_id(user_id) and _is_path(path)}
    if not possible:
        return {}
    found = await find_users(backend.database, scope, {user_id for user_id, _ in possible}, {"_id"})
    existing = {user["_id"] for user in found}
    asked = [key for key in possible if key[0] in existing]
    present = await asyncio.gather(*(store.has_namespace(backend.database, scope, *key) for key in asked))
    return {key: _namespace(*key) for key, is_there in zip(asked, present, strict=True) if is_there}


def _is_path(path: str) -> bool:
    labels = store.labels_of(path)
    return bool(labels) and store.path_of(labels) == path


def place_of_namespace(item: Document) -> Key:
    """Return the place of a namespace in the list of them."""
    return (item["path"],)


async def put_items(backend: Backend, scope: Scope, user_id: str, sent: Sequence[ItemToPut]) -> list[ItemDocument]:
    """Store items of a user, who is created if missing, each in place of the one with its namespace and key.

    All are stored or no item is. Their texts are embedded, at most `MAX_EMBEDDED` of them: searches embed the others.

    Raises:
        BadUserInput: an argument is refused.
        Conflict: a stored item has another revision than expected.
        Forbidden: the user is outside the caller's scope.
        TooCostly: the user would have too many items.
    """
    check_user_id(scope, user_id)
    _check_number(len(sent))
    # One run for each item, so that other work of the thread comes in between.
    checked = [await run_on_thread(_checked, item, f"items[{place}]") for place, item in enumerate(sent)]
    places = [(store.path_of(item.namespace), item.key) for item in sent]
    if len(set(places)) < len(places):
        raise BadUserInput("items has two items with the same namespace and key: send the last one alone")
    refuse_larger_answer(sum(one.size for one in checked))
    read = await _read(backend, {str(place): one.texts for place, one in enumerate(checked)})
    new = [
        _new_item(item, one.value, read[str(place)])
        for place, (item, one) in enumerate(zip(sent, checked, strict=True))
    ]
    return await store.put_items(backend.database, scope, user_id, new)


def _check_number(count: int) -> None:
    if not 1 <= count <= MAX_AT_ONCE:
        raise BadUserInput(f"items has {count:,} items, and 1 to {MAX_AT_ONCE} are accepted")


@dataclass(frozen=True, slots=True)
class _Checked:
    """The value of an item.

    Attributes:
        size: its bytes as JSON.
        texts: its texts, by which a search finds it.
    """

    value: JSONObject
    size: int
    texts: list[str]


def _checked(item: ItemToPut, name: str) -> _Checked:
    value = _check_item(item, name)
    return _Checked(value, len(orjson.dumps(value)), texts_of(value, item.index))


def _check_item(item: ItemToPut, name: str) -> JSONObject:
    """Check an item; return its value."""
    check_namespace(item.namespace, f"{name}.namespace")
    check_key(item.key, f"{name}.key")
    if item.value is None:
        raise BadUserInput(f"{name}.value must be a JSON object, not null: deleteItems deletes items")
    if item.ttl is not None:
        if item.expires_at is not None:
            raise BadUserInput(f"{name} has both ttl and expiresAt: give one of them")
        if not (math.isfinite(item.ttl) and 0 < item.ttl <= MAX_TTL):
            raise BadUserInput(f"{name}.ttl is {item.ttl:g}: it must be above 0 and at most {MAX_TTL:,} minutes")
    if item.index is not None:
        check_index(item.index, f"{name}.index")
    if item.expected_revision is not None and item.expected_revision < 0:
        raise BadUserInput(f"{name}.expectedRevision must be 0 for a new item, or the revision that was read")
    return validation.check_metadata(item.value, f"{name}.value", most_bytes=MAX_VALUE_BYTES)


def _new_item(item: ItemToPut, value: JSONObject, read: ReadTexts) -> NewItem:
    return NewItem(
        namespace=item.namespace,
        key=item.key,
        value=value,
        ttl=item.ttl,
        expires_at=None if item.expires_at is None else check_to_come(item.expires_at, "expiresAt"),
        index=item.index,
        texts=read.texts,
        layout=read.layout,
        model=read.model,
        expected_revision=item.expected_revision,
    )


async def _read(backend: Backend, texts: dict[str, list[str]]) -> dict[str, ReadTexts]:
    """Return the facts of texts, those of the first items with vectors, if the model answers."""
    first: dict[str, list[str]] = {}
    left = MAX_EMBEDDED
    for name, own in texts.items():
        left -= len(own)
        if left < 0:
            break
        first[name] = own
    if backend.embedder is not None:
        use = {name: own for name, own in texts.items() if name not in first}
        try:
            return await read_texts(first, backend.embedder) | await read_texts(use, None)
        except (Unavailable, StartupError, ValueError) as error:
            logger.warning("items are stored without vectors, and a search embeds them: %s", error)
    return await read_texts(texts, None)


async def renew_items(
    backend: Backend, scope: Scope, user_id: str, places: Sequence[tuple[Sequence[str], str]], fields: Collection[str]
) -> list[ItemDocument]:
    """Begin the time to live of items again; return the items that exist, in the order of the places.

    Raises:
        BadUserInput: an argument is refused.
        Forbidden: the user is outside the caller's scope.
    """
    checked = _check_places(scope, user_id, places)
    if not await user_exists(backend, scope, user_id):
        return []
    found = await store.renew_items(backend.database, scope, user_id, checked, fields)
    by_place = {(item["path"], item["key"]): item for item in found}
    return [by_place[place] for place in checked if place in by_place]


async def delete_items(
    backend: Backend, scope: Scope, user_id: str, places: Sequence[tuple[Sequence[str], str]]
) -> list[str]:
    """Delete items of a user; return the uuids of the items that existed.

    Raises:
        BadUserInput: an argument is refused.
        Forbidden: the user is outside the caller's scope.
    """
    checked = _check_places(scope, user_id, places)
    if not await user_exists(backend, scope, user_id):
        return []
    return await store.delete_items(backend.database, scope, user_id, checked)


def _check_places(scope: Scope, user_id: str, places: Sequence[tuple[Sequence[str], str]]) -> list[Place]:
    check_user_id(scope, user_id)
    _check_number(len(places))
    checked = [
        (store.path_of(check_namespace(namespace, f"items[{place}].namespace")), check_key(key, f"items[{place}].key"))
        for place, (namespace, key) in enumerate(places)
    ]
    return list(dict.fromkeys(checked))
