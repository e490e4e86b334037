"""Reads of the messages that a list of sessions shows, for many sessions at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from graph.store.database import Database
from graph.store.documents import Document, EnrichmentState, MessageDocument
from graph.store.driver.client import CODEC
from graph.store.driver.collection import Pipeline
from graph.store.reading.projection import projection
from graph.store.visible import Visible

_AT_ONCE = 100
"""Maximum sessions of one read: MongoDB accepts 1,000 stages in a pipeline, and a read returns at most 16 MiB."""


async def newest_messages(
    database: Database, parts: Collection[Visible], fields: Collection[str]
) -> dict[str, MessageDocument]:
    """Return the newest visible message of each session that has one, with `fields` and `sessionId`, by session."""
    projected = projection({*fields, "sessionId"})
    found: dict[str, MessageDocument] = {}
    for document in await of_each(
        database, [[_match(part), {"$sort": {"seq": -1}}, {"$limit": 1}, {"$project": projected}] for part in parts]
    ):
        found[document["sessionId"]] = cast("MessageDocument", document)
    return found


async def first_words(
    database: Database, parts: Collection[Visible], roles: Collection[str], most: int
) -> dict[str, str]:
    """Return the beginning of the first visible message of one of some roles, by session.

    Args:
        database: the open database.
        parts: the parts of the sessions.
        roles: the roles.
        most: the maximum number of characters, after leading white space.
    """
    content = {"$substrCP": [{"$ltrim": {"input": "$content"}}, 0, most]}
    shown: list[Document] = [
        {"$sort": {"seq": 1}},
        {"$limit": 1},
        {"$project": {"_id": 0, "sessionId": 1, "content": content}},
    ]
    pipelines = [[_match(part, role={"$in": list(roles)}), *shown] for part in parts]
    return {document["sessionId"]: document["content"] for document in await of_each(database, pipelines)}


async def count_beyond(database: Database, places: Mapping[Visible, int], most: int) -> dict[str, int]:
    """Return the number of visible messages after a number, by session; the count stops at `most`.

    Args:
        database: the open database.
        places: the number for each part of a session.
        most: the maximum count.
    """
    counted: list[Document] = [{"$limit": most}, {"$group": {"_id": "$sessionId", "count": {"$sum": 1}}}]
    pipelines = [[_match(part.beyond(seq)), *counted] for part, seq in places.items()]
    return {document["_id"]: document["count"] for document in await of_each(database, pipelines)}


async def unfinished_counts(database: Database, parts: Collection[Visible]) -> dict[str, Document]:
    """Return how many messages are PENDING and FAILED, by session; a session without any is left out.

    An index covers the counts of a session of which nothing is being erased.
    """
    counted: list[Document] = [
        {"$group": {"_id": {"of": "$sessionId", "state": "$enrichment.state"}, "count": {"$sum": 1}}},
        {"$group": {"_id": "$_id.of", "states": {"$push": {"k": {"$toLower": "$_id.state"}, "v": "$count"}}}},
        {"$replaceWith": {"$mergeObjects": [{"_id": "$_id"}, {"$arrayToObject": "$states"}]}},
    ]
    unfinished = {"$in": [EnrichmentState.PENDING.value, EnrichmentState.FAILED.value]}
    pipelines = [
        [
            {"$match": {"sessionId": part.session_id, "enrichment.state": unfinished}},
            *([_match(part)] if part.after_seq else ()),
            *counted,
        ]
        for part in parts
    ]
    return {document.pop("_id"): document for document in await of_each(database, pipelines)}


def _match(part: Visible, **more: object) -> Document:
    return {"$match": {**part.match("seq"), **more}}


async def of_each(database: Database, pipelines: Sequence[Sequence[Document]]) -> list[Document]:
    """Return the documents of all pipelines of messages, each of which gives at most one."""
    found: list[Document] = []
    for start in range(0, len(pipelines), _AT_ONCE):
        first, *others = some = pipelines[start : start + _AT_ONCE]
        united: Pipeline = [
            *first,
            *({"$unionWith": {"coll": database.messages.name, "pipeline": list(other)}} for other in others),
        ]
        found += await database.messages.aggregate_at_once(united, CODEC, most=len(some))
    return found
