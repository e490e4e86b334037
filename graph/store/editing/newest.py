"""Deletions of the newest messages of a session."""

from __future__ import annotations

from collections.abc import Callable

from graph.errors import BadUserInput
from graph.store.adding.add_plan import NewMemory
from graph.store.adding.pair_checks import refuse_split
from graph.store.database import Database
from graph.store.documents import MessageDocument, SessionDocument
from graph.store.driver.types import Transaction
from graph.store.editing.removal import count_removed, remove_messages
from graph.store.expectations import ExpectedSession
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.sessions import session_to_change
from graph.store.visible import Visible
from graph.store.writes import write_session

MOST_REMOVED = 1_000
"""Maximum messages that one transaction removes."""
_READ = (
    "_id",
    "sessionId",
    "memoryId",
    "seq",
    "role",
    "tokenCount",
    "createdAt",
    "entities",
    "status",
    "toolResults",
    "branch",
)


async def remove_from(
    database: Database, scope: Scope, session: SessionDocument, new: NewMemory, tx: Transaction, *, edited: int
) -> list[MessageDocument]:
    """Within a transaction, delete the messages that a memory replaces; the caller updates the session's counts.

    Returns:
        The deleted messages, oldest first, without their contents.

    Raises:
        BadUserInput: the messages are too many for one transaction.
        Conflict: a tool call would stay without its result, which is refused.
        Forbidden: the caller does not write messages of the role of one of them.
    """
    seq = new.replaces_from or 1
    match = Visible.of_head(session).beyond(seq - 1).match("seq")
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
    if new.keeps_pairs:
        await refuse_split(database, Visible.of_head(session), found, new.messages, tx)
    if found:
        await remove_messages(database, session, found, tx, edited=edited)
    return found


async def pop_message(
    database: Database,
    scope: Scope,
    session_id: str,
    expected: ExpectedSession,
    check: Callable[[MessageDocument], None],
    *,
    keeps_pairs: bool = False,
) -> MessageDocument | None:
    """Delete the newest message of a session.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        session_id: the session.
        expected: the session that the caller has read.
        check: called with the whole message before it is deleted; its error keeps the message.
        keeps_pairs: whether the result of a tool call that stays is refused.

    Returns:
        The deleted document; None if the session has no message.

    Raises:
        Conflict: the session was changed since the caller read it, or a tool call would stay without its result.
        Forbidden: the caller does not write messages of its role.
        NotFound: the session is not within the scope.
    """

    async def attempt(tx: Transaction) -> MessageDocument | None:
        session = await session_to_change(database, scope, session_id, tx)
        expected.refuse_other(session.get("revision", 0), session["uuid"])
        match = Visible.of_head(session).match("seq")
        newest = await database.messages.find_one(match, sort=[("seq", -1)], session=tx)
        if newest is None:
            return None
        scope.refuse_role(newest["role"], "the role of the newest message")
        check(newest)
        if keeps_pairs:
            await refuse_split(database, Visible.of_head(session), [newest], (), tx)
        await remove_messages(database, session, [newest], tx)
        await count_removed(database, [newest], tx)
        return newest

    return await write_session(database, session_id, attempt)
