"""The entities of a session with branches, which the messages on the path to its head mention.

The documents of `entities` count the messages of all branches, as the user's entities do. A path changes with each
change of the head, so that these entities are counted when they are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from graph.store.database import Database
from graph.store.documents import Document
from graph.store.driver.answer import count_documents
from graph.store.entities.mentions import Counted, listed
from graph.store.entities.names import normalise_name
from graph.store.entities.reading import as_entity
from graph.store.reading.keyset import Items
from graph.store.visible import Visible

MOST_MESSAGES = 20_000
"""Maximum messages that are read: the newest ones of the path."""
MOST_ENTITIES = 5_000
"""Maximum entities: the most mentioned ones."""


def most_messages(visible: Visible) -> int:
    """Return the maximum number of messages that a read of the entities on a path takes."""
    return min(MOST_MESSAGES, sum(part.until - part.first + 1 for part in visible.path or ()))


async def entities_on_path(database: Database, visible: Visible) -> list[Document]:
    """Return the entities of the messages on a path, most mentioned first, equals by their key.

    Args:
        database: the open database.
        visible: the part of a session, with a path.
    """
    place = {"seq": "$seq", "at": "$createdAt", "name": "$entities.name"}  # documents compare by their fields in order
    found = await database.messages.aggregate(
        [
            {"$match": visible.match("seq")},
            {"$sort": {"seq": -1}},
            {"$limit": MOST_MESSAGES},
            {"$unwind": "$entities"},
            {
                "$group": {
                    "_id": "$entities.key",
                    "count": {
                        "$sum": {"$add": [{"$size": "$entities.matches"}, {"$ifNull": ["$entities.inTools", 0]}]}
                    },
                    "first": {"$min": place},
                    "last": {"$max": place},
                }
            },
            {"$sort": {"count": -1, "_id": 1}},
            {"$limit": MOST_ENTITIES},
        ]
    )
    count_documents(found)
    return await asyncio.to_thread(_entities, visible, found)  # thousands of names would hold the event loop


def _entities(visible: Visible, found: Sequence[Document]) -> list[Document]:
    counted = [Counted(one["_id"], one["count"], one["first"], one["last"]) for one in found]
    entities = [{**as_entity(entity), "path": visible.path} for entity in listed(visible.session_id, counted)]
    return sorted(entities, key=lambda entity: (entity["rank"], entity["key"]))


def among(entities: Sequence[Document], labels: Collection[str] | None, search: str | None) -> Items:
    """Return the list of the entities that have one of the labels, and a name that contains a text."""
    text = normalise_name(search or "")
    chosen = [
        entity
        for entity in entities
        if (labels is None or entity["label"] in labels) and text in entity["key"].partition(":")[2]
    ]
    return Items(chosen, ("rank", "key"))
