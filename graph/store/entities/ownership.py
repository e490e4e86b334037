"""The user of a session's entities, and the removal of entities with their session or user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from graph.store.database import Database
from graph.store.documents import Document
from graph.store.driver.types import Transaction
from graph.store.entities.documents import EntityCountDocument
from graph.store.entities.mentions import lock
from graph.store.entities.owners import session_owner, user_owner
from graph.store.entities.user_mentions import Moved, follow


async def give_to_user(database: Database, session_id: str, user_id: str, tx: Transaction) -> None:
    """Count a session's entities for its user, in the transaction that assigns the session or a later one."""
    await _give(database, session_id, user_id, uncounted(session_id), tx)


async def give_some_to_user(database: Database, session_id: str, ids: Sequence[str], tx: Transaction) -> None:
    """Count the uncounted ones of these entities of a session for its user; do nothing for a session that is gone."""
    session = await database.sessions.find_one({"_id": session_id}, {"userId": 1}, session=tx)
    if session is not None and session.get("userId") is not None:
        await _give(database, session_id, session["userId"], {"_id": {"$in": ids}, **uncounted(session_id)}, tx)


def uncounted(session_id: str) -> Document:
    """The filter of the entities of a session that count for no user."""
    return {"owner": session_owner(session_id), "own": {"$exists": True}, "userId": {"$exists": False}}


async def _give(database: Database, session_id: str, user_id: str, match: Document, tx: Transaction) -> None:
    entities = await _locked(database, session_id, match, tx)
    if entities:
        await database.entities.update_many(
            {"_id": {"$in": [entity["_id"] for entity in entities]}}, {"$set": {"userId": user_id}}, session=tx
        )
        await follow(database, {user_id: [(session_id, None, entity) for entity in entities]}, tx)


async def forget_session(database: Database, session_id: str, user_id: str | None, tx: Transaction) -> None:
    """Remove all entities of a session, and their counts for its user, within a transaction.

    Args:
        database: the open database.
        session_id: the session. The same transaction deletes its messages, and possibly the session.
        user_id: the user that the session belongs to.
        tx: the transaction.
    """
    owner = session_owner(session_id)
    counted = await _locked(database, session_id, {"owner": owner, "userId": {"$exists": True}}, tx)
    await database.entities.delete_many({"owner": owner}, session=tx)
    if counted and user_id is not None:
        await follow(database, {user_id: [(session_id, entity, None) for entity in counted]}, tx)


async def forget_user(database: Database, user_id: str, tx: Transaction) -> None:
    """Remove all entities of a user; the same transaction removes the user's sessions."""
    await database.entities.delete_many({"owner": user_owner(user_id)}, session=tx)


async def lock_entities(database: Database, session_ids: Sequence[str], tx: Transaction) -> None:
    """Make earlier transactions that change entities of these sessions fail: this transaction removes the entities."""
    locks = [lock(session_owner(session_id), session_id) for session_id in session_ids]
    await database.entities.bulk_write(locks, ordered=False, session=tx)


async def forget_sessions(database: Database, session_ids: Sequence[str], tx: Transaction) -> None:
    """Remove all entities of deleted sessions of a deleted user."""
    owners = [session_owner(session_id) for session_id in session_ids]
    await database.entities.delete_many({"owner": {"$in": owners}}, session=tx)


async def has_more(database: Database, session_id: str, number: int, tx: Transaction) -> bool:
    """Whether a session has more than `most` entities."""
    return await _has_more(database, {"owner": session_owner(session_id)}, number, tx)


async def has_more_of_user(database: Database, user_id: str, number: int, tx: Transaction) -> bool:
    """Whether the sessions of a user have more than `most` entities together."""
    return await _has_more(database, {"userId": user_id}, number, tx)


async def _has_more(database: Database, match: Document, number: int, tx: Transaction) -> bool:
    count = await database.entities.count_documents(match, limit=number + 1, session=tx)
    return count > number


async def forget_some_of_session(
    database: Database, session_id: str, last_seq: int | None, most: int, tx: Transaction
) -> bool:
    """Remove at most `most` entities of a session, and their counts for its user; return False if no entity was left.

    Args:
        database: the open database.
        session_id: the session.
        last_seq: for an existing session, only entities without a later mention; None for all, of a deleted session.
        most: the maximum number.
        tx: the transaction.
    """
    match: Document = {"owner": session_owner(session_id)}
    if last_seq is not None:
        match["own.last.seq"] = {"$lte": last_seq}
    found = await database.entities.find(match, limit=most, session=tx)
    if not found:
        return False
    await database.entities.delete_many({"_id": {"$in": [entity["_id"] for entity in found]}}, session=tx)
    if last_seq is not None:
        await lock_entities(database, [session_id], tx)
    moved: defaultdict[str, list[Moved]] = defaultdict(list)
    for entity in found:
        if "userId" in entity:
            moved[entity["userId"]].append((session_id, entity, None))
    await follow(database, moved, tx)
    return True


async def forget_some_of_user(database: Database, user_id: str, most: int, tx: Transaction) -> bool:
    """Remove at most `most` entities of a deleted user and its sessions; return False if no entity was left."""
    return await _forget_some(database, {"owner": user_owner(user_id)}, most, tx) or await _forget_some(
        database, {"userId": user_id}, most, tx
    )


async def _forget_some(database: Database, match: Document, most: int, tx: Transaction) -> bool:
    found = await database.entities.find(match, {"_id": 1}, limit=most, session=tx)
    if found:
        await database.entities.delete_many({"_id": {"$in": [entity["_id"] for entity in found]}}, session=tx)
    return bool(found)


async def _locked(database: Database, session_id: str, match: Document, tx: Transaction) -> list[EntityCountDocument]:
    """Entities of a session, which no other transaction can change before this transaction has ended."""
    await lock_entities(database, [session_id], tx)
    return await database.entities.find(match, session=tx)
