"""The removal of single messages from a session, with the documents that depend on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from graph.errors import BadUserInput
from graph.store import summaries
from graph.store.database import Database
from graph.store.documents import MessageDocument, SessionDocument, now
from graph.store.driver.types import Transaction, UpdateOne
from graph.store.entities import mentions
from graph.store.feed.tombstones import add_message_tombstones
from graph.store.projection import projection
from graph.store.scope import Scope
from graph.store.sessions import refuse_other_revision, session_to_change
from graph.store.stamps import stamp_of
from graph.store.vectors import forget_vectors
from graph.store.visible import Visible
from graph.store.writes import next_revision, write_session

MOST_REMOVED = 1_000
"""Maximum messages that one transaction removes."""
_READ = ("_id", "sessionId", "memoryId", "seq", "role", "tokenCount", "createdAt", "entities")


async def remove_messages(
    database: Database,
    session: SessionDocument,
    messages: Sequence[MessageDocument],
    tx: Transaction,
    *,
    edited: int = 0,
) -> None:
    """Within a transaction, delete messages and their dependent documents; the caller updates the session's counts.

    Args:
        database: the open database.
        session: the session of the messages before the transaction, with `revision` and the paths of `Visible`.
        messages: at least one, with `_READ`.
        tx: the transaction.
        edited: the number of messages that the transaction edits.
    """
    uuids = [message["_id"] for message in messages]
    await add_message_tombstones(database, messages, stamp_of(next_revision(session), len(messages) + edited), tx)
    await database.messages.delete_many({"_id": {"$in": uuids}}, session=tx)
    await forget_vectors(database, uuids, tx)
    tokens: Counter[str] = Counter()
    for message in messages:
        tokens[message["memoryId"]] += message["tokenCount"]
    await database.memories.bulk_write(
        [UpdateOne({"_id": _id}, {"$inc": {"tokenCount": -count}}) for _id, count in tokens.items()], session=tx
    )
    await mentions.replace_all(database, [(message, None) for message in messages], tx)
    await summaries.forget_message(database, session, min(message["seq"] for message in messages), tx)


async def count_removed(database: Database, messages: Sequence[MessageDocument], tx: Transaction) -> None:
    """Within a transaction, update the session of removed messages."""
    tokens = sum(message["tokenCount"] for message in messages)
    await database.sessions.update_one(
        {"_id": messages[0]["sessionId"]},
        {
            "$inc": {"messageCount": -len(messages), "tokenCount": -tokens, "revision": 1},
            "$max": {"updatedAt": now()},
        },
        session=tx,
    )


async def remove_from(
    database: Database, scope: Scope, session: SessionDocument, seq: int, tx: Transaction, *, edited: int
) -> list[MessageDocument]:
    """Within a transaction, delete the messages of a session from a number on; the caller updates the session's counts.

    Returns:
        The deleted messages, oldest first, without their contents.

    Raises:
        BadUserInput: the messages are too many for one transaction.
        Forbidden: the caller does not write messages of the role of one of them.
    """
    match = Visible.of(session).beyond(seq - 1).match("seq")
    found = await database.messages.find(
        match, projection(_READ), sort=[("seq", 1)], limit=MOST_REMOVED + 1, session=tx
    )
    if len(found) > MOST_REMOVED:
        message = (
            f"seq is {seq:,}, and more than {MOST_REMOVED:,} messages have that seq or a greater one: delete some of"
            " them first, with deleteMessage, popMessage or a greater seq"
        )
        raise BadUserInput(message)
    for removed in found:
        scope.refuse_role(removed["role"], f"the role of message {removed['_id']}")
    if found:
        await remove_messages(database, session, found, tx, edited=edited)
    return found


async def pop_message(
    database: Database,
    scope: Scope,
    session_id: str,
    expected_revision: int | None,
    check: Callable[[MessageDocument], None],
) -> MessageDocument | None:
    """Delete the newest message of a session.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        session_id: the session.
        expected_revision: the revision of the session before the deletion; None for any.
        check: called with the whole message before it is deleted; its error keeps the message.

    Returns:
        The deleted document; None if the session has no message.

    Raises:
        Conflict: the session was changed since the caller read it.
        Forbidden: the caller does not write messages of its role.
        NotFound: the session is not within the scope.
    """

    async def attempt(tx: Transaction) -> MessageDocument | None:
        session = await session_to_change(database, scope, session_id, tx)
        refuse_other_revision(session.get("revision", 0), expected_revision)
        newest = await database.messages.find_one(Visible.of(session).match("seq"), sort=[("seq", -1)], session=tx)
        if newest is None:
            return None
        scope.refuse_role(newest["role"], "the role of the newest message")
        check(newest)
        await remove_messages(database, session, [newest], tx)
        await count_removed(database, [newest], tx)
        return newest

    return await write_session(database, session_id, attempt)
