"""Search for messages and summaries of one session by words, time and a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from enum import StrEnum

from graph.store.database import Database
from graph.store.documents import Document
from graph.store.driver.answer import count_documents, read_whole
from graph.store.driver.collection import AnyCollection, Order
from graph.store.visible import Visible


class SearchedKind(StrEnum):
    """The kind of documents that a search reads."""

    MESSAGES = "messages"
    SUMMARIES = "summaries"


_AT_ONCE = 20
"""Documents that are tested together: each may have more than a megabyte."""
_PLACE = {SearchedKind.MESSAGES: "seq", SearchedKind.SUMMARIES: "lastSeq"}


async def search(
    database: Database,
    visible: Visible,
    searched: SearchedKind,
    *,
    words: str | None,
    since: datetime | None,
    until: datetime | None,
    keep: Callable[[list[Document]], Awaitable[list[Document]]] | None,
    limit: int,
) -> list[Document]:
    """Whole documents: by how well they match the words, with their `score`; without words, the newest first.

    Args:
        database: the open database.
        visible: the part of the session.
        searched: which documents.
        words: the words, of which at least one must occur.
        since: the minimum `createdAt`.
        until: the exclusive maximum of `createdAt`.
        keep: returns the documents that pass a test; all documents that match the other conditions are read for it.
        limit: maximum number of documents, at least 1.
    """
    place = _PLACE[searched]
    match = visible.match(place)
    if times := {key: time for key, time in (("$gte", since), ("$lt", until)) if time is not None}:
        match["createdAt"] = times
    projection: Document | None = None
    order: Order = [(place, -1)]
    if words is not None:
        match["$text"] = {"$search": words}
        projection = {"score": {"$meta": "textScore"}}
        order = [("score", {"$meta": "textScore"}), *order]
    collection: AnyCollection = database.messages if searched is SearchedKind.MESSAGES else database.summaries
    if keep is None:
        return await read_whole(collection, match, projection, sort=order, limit=limit)
    found: list[Document] = []
    async with aclosing(collection.batches(match, projection, size=_AT_ONCE, sort=order)) as batches:
        async for read in batches:
            kept = await keep(read)
            count_documents(kept)
            found += kept
            if len(found) >= limit:
                break
    return found[:limit]
