"""Tombstones: the announcements of deletions to subscribers, of ids and numbers alone.

MongoDB's own delete events hold nothing but `_id`, and subscribers need the session and the user. Pre-images would hold
them, and the deleted text with them. So the transaction that deletes adds a tombstone to `deletions`. Its event reaches
the connected subscribers; a subscriber that comes back reads the tombstones since it left, until MongoDB removes them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graph.store.database import Database
from graph.store.documents import DeletionDocument, DeletionKind, MessageDocument, new_uuid, now
from graph.store.driver.types import Transaction
from graph.store.editing.stamps import Stamp


async def add_message_tombstones(
    database: Database, messages: Sequence[MessageDocument], stamp: Stamp, tx: Transaction
) -> None:
    """Announce the deletion of messages.

    Args:
        database: the open database.
        messages: at least one, with `_id`, `sessionId` and `seq`.
        stamp: of their deletion.
        tx: the transaction that deletes them.
    """
    tombstones: list[DeletionDocument] = [
        {
            **_tombstone(database, DeletionKind.MESSAGE, message["sessionId"]),
            "uuid": message["_id"],
            "seq": message["seq"],
            **stamp,
        }
        for message in messages
    ]
    await database.deletions.insert_many(tombstones, session=tx)


async def add_contents_tombstone(
    database: Database, session_id: str, last_seq: int, stamp: Stamp, tx: Transaction
) -> None:
    """Announce the deletion of all messages of a session up to a number."""
    tombstone = _tombstone(database, DeletionKind.CONTENTS, session_id)
    await database.deletions.insert_one({**tombstone, "seq": last_seq, **stamp}, session=tx)


async def add_session_tombstones(
    database: Database, session_ids: Collection[str], user_id: str | None, tx: Transaction
) -> None:
    """Announce the deletion of sessions of one user, or of no user."""
    tombstones = [_tombstone(database, DeletionKind.SESSION, session_id) for session_id in session_ids]
    if user_id is not None:
        for tombstone in tombstones:
            tombstone["userId"] = user_id
    if tombstones:
        await database.deletions.insert_many(tombstones, session=tx)


async def forget_user(database: Database, user_id: str) -> None:
    """Remove a deleted user's id from the tombstones of the sessions.

    Not within a transaction, which could not hold very many of them. A process that dies before it leaves the id in
    them until MongoDB removes them.
    """
    await database.deletions.update_many(
        {"kind": DeletionKind.SESSION.value, "userId": user_id}, {"$unset": {"userId": ""}}
    )


def _tombstone(database: Database, kind: DeletionKind, session_id: str) -> DeletionDocument:
    at = now()
    return {
        "_id": new_uuid(),
        "kind": kind.value,
        "sessionId": session_id,
        "at": at,
        "expiresAt": at + database.tombstones_kept,
    }
