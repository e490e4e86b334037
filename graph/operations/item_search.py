"""Search in the items of a user, by the words and the meaning of their texts."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.enrichment.models import use_one_thread
from graph.errors import StartupError, TooCostly, Unavailable
from graph.operations.backend import Backend
from graph.operations.concurrency import run_on_thread
from graph.operations.item_texts import read_texts, texts_of
from graph.operations.items import MAX_EMBEDDED, ItemSelection, check_selection, find_items
from graph.operations.recall import (
    MOST_MILLIONTHS,
    Place,
    Results,
    SearchMode,
    check_query,
    plain_query,
    search_columns,
)
from graph.operations.search_scope import columns_from
from graph.recall.embedding import Embedder
from graph.store import items as store
from graph.store.item_documents import ItemDocument
from graph.store.scope import Scope
from graph.store.vectors import LAYOUT

if TYPE_CHECKING:
    from graph.recall.columns import Columns

logger = logging.getLogger(__name__)

MAX_COMPARED = 20_000
"""Maximum texts that a search compares: it makes an entry of each."""
MAX_READ = 64 * 2**20
"""Maximum bytes of terms and vectors that a search compares."""


@dataclass(frozen=True, slots=True)
class FoundItem:
    """An item that was found.

    Attributes:
        millionths: its score, from 0 to 1,000,000: that of its best text.
    """

    item_id: str
    millionths: int

    @property
    def order(self) -> tuple[int, str]:
        """Return its place among the results: best first, with equal scores by uuid."""
        return MOST_MILLIONTHS - self.millionths, self.item_id


async def search_items(backend: Backend, scope: Scope, chosen: ItemSelection, text: str) -> list[FoundItem]:
    """Search the selected items, best first: each that has a text, with a score.

    Items whose texts are not embedded yet are compared by words; some of them are embedded by each search.

    Raises:
        BadUserInput: an argument is refused.
        TooCostly: the items have more texts, or bytes of texts, than a search compares.
        Unavailable: other searches of the user's items took all the time of a query.
    """
    check_query(text)
    if not await check_selection(backend, scope, chosen):
        return []
    async with _turn(backend, chosen.user_id):
        return await _searched(backend, scope, chosen, text)


@asynccontextmanager
async def _turn(backend: Backend, user_id: str) -> AsyncIterator[None]:
    """Wait for the turn of a search of a user's items: each holds all their texts, and embeds those that lack it."""
    lock = backend.item_searches.setdefault(user_id, asyncio.Lock())
    try:
        async with asyncio.timeout(backend.settings.database_timeout or None):
            await lock.acquire()
    except TimeoutError:
        raise Unavailable(
            "other searches of this user's items are under way: send fewer at once, or try again"
        ) from None
    try:
        yield
    finally:
        lock.release()


async def _searched(backend: Backend, scope: Scope, chosen: ItemSelection, text: str) -> list[FoundItem]:
    found = await _compared(backend, scope, chosen)
    model = None if backend.embedder is None else await _name_of(backend.embedder)
    await _complete(backend, scope, found, model)
    columns = await run_on_thread(_columns, found, model)
    query = plain_query(text)
    if query is None or not len(columns.message_ids):
        return []
    results = await search_columns(backend, columns, query, mode=SearchMode.HYBRID, by_session=True, every=True)
    return await run_on_thread(_best, results)


def part_of(found: Sequence[FoundItem], after: Place | None, before: Place | None) -> tuple[int, int]:
    """Return the part of the results between two places, which may have been deleted since."""
    orders = [one.order for one in found]
    start = 0 if after is None else bisect_right(orders, after)
    return start, max(start, len(orders) if before is None else bisect_left(orders, before))


async def _compared(backend: Backend, scope: Scope, chosen: ItemSelection) -> list[ItemDocument]:
    found: list[ItemDocument] = []
    texts = size = 0
    async with aclosing(store.searched_items(backend.database, scope, chosen)) as batches:
        async for batch in batches:
            found += batch
            texts += sum(len(item["texts"]) for item in batch)
            if texts > MAX_COMPARED:
                raise TooCostly(
                    f"the search would compare more than {MAX_COMPARED:,} texts, the maximum: give a longer"
                    " namespacePrefix, or a filter"
                )
            size += sum(len(text["terms"]) + len(text.get("vector", b"")) for item in batch for text in item["texts"])
            if size > MAX_READ:
                raise TooCostly(
                    "the search would compare more text than the maximum: give a longer namespacePrefix, or a filter"
                )
    return found


async def _complete(backend: Backend, scope: Scope, found: Sequence[ItemDocument], model: str | None) -> None:
    """Read the texts of items again that lack terms of this version, or vectors of the model, and store the facts."""
    due = [item for item in found if _is_due(item, model)][:MAX_EMBEDDED]
    if not due:
        return
    ids = [item["_id"] for item in due]
    values = {item["_id"]: item for item in await find_items(backend, scope, ids, {"value", "index", "revision"})}
    chosen: dict[str, list[str]] = {}
    left = MAX_EMBEDDED
    for item in due:
        stored = values.get(item["_id"])
        if stored is None or stored["revision"] != item["revision"]:
            continue  # the item has changed since
        texts = await run_on_thread(texts_of, stored["value"], stored.get("index"))
        left -= len(texts)
        if left < 0:
            break
        chosen[item["_id"]] = texts
    try:
        read = await read_texts(chosen, backend.embedder if model is not None else None)
    except (Unavailable, StartupError, ValueError) as error:
        logger.warning("a search of items compares words alone: %s", error)
        read = await read_texts(chosen, None)
    changed: list[ItemDocument] = []
    for item in (item for item in due if item["_id"] in read):
        facts = read[item["_id"]]
        if facts.model is not None or item["layout"] != facts.layout:
            changed.append(item)  # the others would be stored as they are, by each search without the model
        item["texts"], item["layout"] = facts.texts, facts.layout
        item.pop("model", None)
        if facts.model is not None:
            item["model"] = facts.model
    await store.keep_texts(backend.database, scope, changed)


async def _name_of(embedder: Embedder) -> str | None:
    try:
        return await embedder.name()
    except (Unavailable, StartupError) as error:
        logger.warning("a search of items compares words alone: %s", error)
        return None


def _is_due(item: ItemDocument, model: str | None) -> bool:
    return item["layout"] != LAYOUT or (model is not None and bool(item["texts"]) and item.get("model") != model)


def _columns(found: Sequence[ItemDocument], model: str | None) -> Columns:
    """Return the texts in columns: an item has the place of a session, and its texts those of messages."""
    use_one_thread()
    from graph.recall.entries import Words, entry_of  # noqa: PLC0415 - not loaded without a search

    return columns_from(
        entry_of(
            f"{item['_id']} {place}",
            item["_id"],
            place,
            role="",
            words=Words(text["language"], text["terms"], question=False),
            at=item["createdAt"],
            # A vector of another model can't be compared with that of the query.
            embedded=(text["vector"], text["scale"])
            if model is not None and item.get("model") == model and "vector" in text
            else (b"", 0.0),
        )
        for item in found
        for place, text in enumerate(item["texts"])
    )


def _best(results: Results) -> list[FoundItem]:
    """Return each item with the score of its best text, best first, with equal scores by uuid."""
    best: dict[str, int] = {}
    for one in results.part(0, len(results)):
        best.setdefault(one.message_id.partition(" ")[0], one.millionths)
    return sorted((FoundItem(item_id, score) for item_id, score in best.items()), key=lambda one: one.order)
