"""Where LangGraph's checkpoints are: the places of their items, and how these are read, stored and deleted.

The items of a thread are in namespaces of `langgraph`, the thread, the checkpoint namespace after a `/`, and:

- `checkpoints`: a checkpoint under its id;
- `writes`, the id of a checkpoint: the writes of its tasks;
- `chunks`, a digest: what is too long for the item of a checkpoint or write, which has the digest as `chunks`. Its
  chunks belong to this item alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote

from recallql.client import AsyncRecallQL
from recallql.generated.fragments import ItemFields
from recallql.generated.input_types import DeleteItemsInput, ItemInput, ItemPlace, PutItemsInput

CHECKPOINTS = "checkpoints"
WRITES = "writes"
CHUNKS = "chunks"
PAGE = 100
"""Items of a page, and of one mutation."""
_ROOT = "langgraph"
_BYTES = 4_000_000
"""Characters of one request, whose body has at most 8 MiB."""
_LABEL_BYTES = 256
_USER_BYTES = 512
_HASHED = "sha256:"


def own_user(thread_id: str) -> str:
    """Return the user of a thread: one of its own, as a user has at most 10,000 items."""
    name = quote(thread_id, safe="")
    return f"{_ROOT}/{_short(name, _USER_BYTES - len(_ROOT) - 1)}"


def of_thread(thread_id: str) -> list[str]:
    """Return the labels that all namespaces of a thread begin with."""
    return [_ROOT, _short(thread_id, _LABEL_BYTES)]


def root_of(thread_id: str, ns: str) -> list[str]:
    """Return the labels that the namespaces of a checkpoint namespace begin with."""
    # A label is never empty.
    return [*of_thread(thread_id), f"/{_short(ns, _LABEL_BYTES - 1)}"]


def _short(name: str, most: int) -> str:
    """Return a name, or the digest of a long one; a name that looks like a digest has one of its own."""
    data = name.encode()
    if len(data) <= most and not name.startswith(_HASHED):
        return name
    return _HASHED + hashlib.sha256(data).hexdigest()


async def store(client: AsyncRecallQL, user_id: str, items: Sequence[ItemInput]) -> None:
    """Store items, up to 100 and 4 MB in one transaction."""
    some: list[ItemInput] = []
    size = 0
    for item in [*items, None]:
        own = 0 if item is None else len(item.value["data"])
        if some and (item is None or len(some) == PAGE or size + own > _BYTES):
            given = {"user_id": user_id, "items": some}
            await client.operations.put_items(PutItemsInput.model_validate(given))
            some, size = [], 0
        if item is not None:
            some.append(item)
            size += own


def place_of(item: ItemFields) -> ItemPlace:
    """Return the place of an item."""
    return ItemPlace(namespace=item.namespace, key=item.key)


async def delete(client: AsyncRecallQL, user_id: str, places: Sequence[ItemPlace]) -> None:
    """Delete at most 100 items in one transaction."""
    if places:
        given = {"user_id": user_id, "items": places}
        await client.operations.delete_items(DeleteItemsInput.model_validate(given))


async def backwards(
    client: AsyncRecallQL, user_id: str, namespace: Sequence[str], *, most: int = PAGE
) -> AsyncIterator[ItemFields]:
    """Yield the items of a namespace, in the opposite order of their keys."""
    before: str | None = None
    while True:
        page = (await client.operations.items(user_id, list(namespace), last=most, before=before)).items
        for edge in reversed(page.edges):
            yield edge.node
        before = page.page_info.start_cursor
        if not page.page_info.has_previous_page:
            return


async def chunks_of(client: AsyncRecallQL, user_id: str, item: ItemFields) -> AsyncIterator[ItemFields]:
    """Yield the further items of what is too long for one, the last one first."""
    if (digest := item.value["chunks"]) is not None:
        async for chunk in backwards(client, user_id, [*item.namespace[:3], CHUNKS, digest], most=20):
            yield chunk


async def writes_of(client: AsyncRecallQL, user_id: str, checkpoint: ItemFields) -> AsyncIterator[ItemFields]:
    """Yield the writes of a checkpoint."""
    async for write in backwards(client, user_id, [*checkpoint.namespace[:3], WRITES, checkpoint.key]):
        yield write


async def roots(client: AsyncRecallQL, user_id: str, thread_id: str) -> Sequence[Sequence[str]]:
    """Return the places of a thread's checkpoints, one for each namespace."""
    prefix = of_thread(thread_id)
    found: list[Sequence[str]] = []
    after: str | None = None
    while True:
        page = (
            await client.operations.item_namespaces(
                user_id, prefix=prefix, suffix=[CHECKPOINTS], first=1_000, after=after
            )
        ).item_namespaces
        found += [edge.node.namespace[:-1] for edge in page.edges]
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            return tuple(place for place in found if len(place) == len(prefix) + 1)
