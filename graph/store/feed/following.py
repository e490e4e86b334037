"""Reads for subscribers: the stored part of what they follow, causally after what they have been told."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from graph.store.database import Database
from graph.store.documents import Document
from graph.store.driver.client import translated_errors
from graph.store.feed.changes import Moment, causally_after
from graph.store.scope import Scope


async def session_state(database: Database, session_id: str, after: Moment | None = None) -> Document | None:
    """`uuid`, `userId`, `lastSeq` and `erasedSeq` of a session, whoever may see it: what decides on a subscription."""
    with translated_errors():
        async with causally_after(database, after) as session:
            found: Document | None = await database.sessions.find_one(
                {"_id": session_id}, {"uuid": 1, "userId": 1, "lastSeq": 1, "erasedSeq": 1}, session=session
            )
    return found


async def messages_after(
    database: Database, session_id: str, seq: int, *, limit: int, after: Moment | None
) -> list[Document]:
    """The whole messages of a session after a place, oldest first."""
    with translated_errors():
        async with causally_after(database, after) as session:
            found: list[Document] = await database.messages.find(
                {"sessionId": session_id, "seq": {"$gt": seq}},
                sort=[("seq", 1)],
                limit=limit,
                batch_size=limit + 1,
                session=session,
            ).to_list(None)
    return found


async def messages_by_id(database: Database, uuids: Collection[str], after: Moment | None) -> dict[str, Document]:
    """Whole messages, by uuid, whoever may see them; none that is being erased."""
    with translated_errors():
        async with causally_after(database, after) as session:
            found: list[Document] = await database.messages.find(
                {"_id": {"$in": list(uuids)}}, session=session
            ).to_list(None)
            ids = list({message["sessionId"] for message in found})
            owners = await database.sessions.find({"_id": {"$in": ids}}, {"erasedSeq": 1}, session=session).to_list(
                None
            )
    erased = {owner["_id"]: owner.get("erasedSeq", 0) for owner in owners}
    return {
        message["_id"]: message
        for message in found
        if message["sessionId"] in erased and message["seq"] > erased[message["sessionId"]]
    }


async def sessions_by_id(database: Database, session_ids: Collection[str], after: Moment | None) -> list[Document]:
    """Whole sessions, whoever may see them."""
    with translated_errors():
        async with causally_after(database, after) as session:
            found: list[Document] = await database.sessions.find(
                {"_id": {"$in": list(session_ids)}}, session=session
            ).to_list(None)
    return found


async def messages_changed_since(
    database: Database, session_id: str, since: datetime, *, limit: int, after: Moment | None
) -> list[Document]:
    """The messages of a session that were edited or enriched since a time, in the order of that; not those deleted."""
    with translated_errors():
        async with causally_after(database, after) as session:
            found: list[Document] = await database.messages.find(
                {
                    "sessionId": session_id,
                    "$or": [
                        {"updatedAt": {"$gte": since}, "$expr": {"$gt": ["$updatedAt", "$createdAt"]}},
                        {"enrichment.at": {"$gte": since}},
                    ],
                },
                sort=[("seq", 1)],
                limit=limit,
                session=session,
            ).to_list(None)
    return found


async def sessions_changed_since(
    database: Database, scope: Scope, user_id: str | None, since: datetime, *, limit: int, after: Moment | None
) -> list[Document]:
    """The sessions within the scope that changed since a time, in the order of that."""
    chosen = {} if user_id is None else {"userId": user_id}
    with translated_errors():
        async with causally_after(database, after) as session:
            found: list[Document] = await database.sessions.find(
                {"$and": [chosen, scope.sessions()], "updatedAt": {"$gte": since}},
                sort=[("updatedAt", 1), ("_id", 1)],
                limit=limit,
                session=session,
            ).to_list(None)
    return found
