"""The documents that a caller sees: documents of sessions within the scope that are not being erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

from graph.store.database import Database
from graph.store.driver.answer import read_whole
from graph.store.driver.collection import Collection, D
from graph.store.scope import Scope
from graph.store.sessions import find_sessions
from graph.store.visible import Visible, visible_by_id


async def find_visible(
    database: Database,
    collection: Collection[D],
    scope: Scope,
    ids: Iterable[str],
    match: Mapping[str, object] | None,
    *,
    place: str,
) -> list[D]:
    """The documents that match and that the caller sees, in no order.

    Of an end user, the contents are read after the documents are known to be visible: the contents of other users must
    not count against the bytes of the answer, which would reveal them.

    Args:
        database: the open database.
        collection: of documents with `sessionId`.
        scope: the data that the caller may see.
        ids: the `_id` of each.
        match: the projection; it has `sessionId` and the place.
        place: the field with the number of a document in its session.
    """
    asked = list(ids)
    if scope.user_id is None:
        found = await read_whole(collection, {"_id": {"$in": asked}}, match, limit=max(1, len(asked)))
        return await _visible(database, scope, found, place)
    keys = await collection.find({"_id": {"$in": asked}}, {"sessionId": 1, place: 1})
    theirs = [document["_id"] for document in await _visible(database, scope, keys, place)]
    if not theirs:
        return []
    return await read_whole(collection, {"_id": {"$in": theirs}}, match, limit=len(theirs))


async def _visible(database: Database, scope: Scope, found: Sequence[D], place: str) -> list[D]:
    if not found and scope.user_id is None:
        return []  # for an end user, a missing document costs the same as one of another user
    ids = {document["sessionId"] for document in found}
    parts = visible_by_id(await find_sessions(database, scope, ids, Visible.FIELDS))
    number = itemgetter(place)
    return [
        document
        for document in found
        if (part := parts.get(document["sessionId"])) is not None and part.sees(number(document))
    ]
