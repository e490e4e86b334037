"""Reads of the messages and summaries of one session for a search: the newest, the found ones, and the texts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from enum import StrEnum

from graph.store.database import Database
from graph.store.documents import Document, SummaryDocument
from graph.store.driver.answer import count_documents, read_whole
from graph.store.driver.collection import AnyCollection
from graph.store.visible import Visible

Keep = Callable[[list[Document]], Awaitable[list[Document]]]
"""Returns the documents that pass a test."""


class SearchedKind(StrEnum):
    """The kind of documents that a search reads."""

    MESSAGES = "messages"
    SUMMARIES = "summaries"


_AT_ONCE = 20
"""Documents that are tested together: each may have more than a megabyte."""
_TEXTS_AT_ONCE = 100
_PLACE = {SearchedKind.MESSAGES: "seq", SearchedKind.SUMMARIES: "lastSeq"}


async def newest(
    database: Database,
    visible: Visible,
    kind: SearchedKind,
    *,
    since: datetime | None,
    until: datetime | None,
    keep: Keep | None,
    limit: int,
) -> list[Document]:
    """Return whole documents, newest first.

    Args:
        database: the open database.
        visible: the part of the session.
        kind: which documents.
        since: the minimum `createdAt`.
        until: the exclusive maximum of `createdAt`.
        keep: returns the documents that pass a test; all documents that match the other conditions are read for it.
        limit: maximum number of documents, at least 1.
    """
    place = _PLACE[kind]
    match = {**visible.match(place), **_within(since, until)}
    collection = _collection(database, kind)
    if keep is None:
        return await read_whole(collection, match, None, sort=[(place, -1)], limit=limit)
    found: list[Document] = []
    async with aclosing(collection.batches(match, size=_AT_ONCE, sort=[(place, -1)])) as batches:
        async for read in batches:
            found += await _kept(keep, read)
            if len(found) >= limit:
                break
    return found[:limit]


async def documents_with(
    database: Database,
    visible: Visible,
    kind: SearchedKind,
    ids: Sequence[str],
    *,
    keep: Keep | None,
    limit: int,
) -> list[Document]:
    """Return whole documents in the order of their ids, without the deleted ones.

    Args:
        database: the open database.
        visible: the part of the session.
        kind: which documents.
        ids: the `_id` of each.
        keep: returns the documents that pass a test; documents are read for it until enough pass.
        limit: maximum number of documents, at least 1.
    """
    collection, within = _collection(database, kind), visible.match(_PLACE[kind])
    found: list[Document] = []
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + min(_AT_ONCE, limit - len(found))] if keep is None else ids[start : start + _AT_ONCE]
        read = {one["_id"]: one for one in await collection.find({**within, "_id": {"$in": list(part)}})}
        found += await _kept(keep, [read[uuid] for uuid in part if uuid in read])
        if len(found) >= limit:
            break
    return found[:limit]


async def _kept(keep: Keep | None, read: list[Document]) -> list[Document]:
    accepted = read if keep is None else await keep(read)
    count_documents(accepted)
    return accepted


async def texts_of_summaries(
    database: Database, visible: Visible, *, since: datetime | None, until: datetime | None, limit: int
) -> AsyncIterator[list[SummaryDocument]]:
    """Yield the newest visible summaries of a session with the fields that a search compares, newest first."""
    match = {**visible.match("lastSeq"), **_within(since, until)}
    fields = {"lastSeq": 1, "content": 1, "createdAt": 1, "entities.label": 1}
    batches = database.summaries.batches(match, fields, size=_TEXTS_AT_ONCE, sort=[("lastSeq", -1)], limit=limit)
    async with aclosing(batches):
        async for read in batches:
            yield read


def _collection(database: Database, kind: SearchedKind) -> AnyCollection:
    return database.messages if kind is SearchedKind.MESSAGES else database.summaries


def _within(since: datetime | None, until: datetime | None) -> Document:
    times = {key: time for key, time in (("$gte", since), ("$lt", until)) if time is not None}
    return {"createdAt": times} if times else {}
