"""Checks that no result of a tool is without its call, and no call loses its result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graph.errors import Conflict, shown
from graph.store.add_plan import NewMessage
from graph.store.database import Database
from graph.store.documents import MessageDocument
from graph.store.driver.types import Transaction
from graph.store.tool_pairs import pairs_of
from graph.store.visible import Visible


async def refuse_orphans(database: Database, visible: Visible, messages: Iterable[NewMessage], tx: Transaction) -> None:
    """Within a transaction, refuse new messages with the result of a call that the session does not have.

    A call may be in the same message, in one before, or in the visible part of the session.

    Raises:
        Conflict: a call is missing.
    """
    called: set[str] = set()
    missing: list[str] = []
    for message in messages:
        pairs = pairs_of(message.parts or (), message.tool_call_id)
        called.update(pairs["toolCalls"])
        missing += [call_id for call_id in pairs["toolResults"] if call_id not in called]
    stored = await _stored(database, visible, missing, None, tx)
    for call_id in missing:
        if call_id not in stored:
            message_ = f"the session has no tool call {shown(call_id)}: add the call before its result"
            raise Conflict(message_)


async def refuse_split(
    database: Database,
    visible: Visible,
    removed: Sequence[MessageDocument],
    added: Iterable[NewMessage],
    tx: Transaction,
) -> None:
    """Within a transaction, refuse to delete results whose calls stay, before any message is deleted.

    Args:
        database: the open database.
        visible: the visible part of the session.
        removed: the newest messages of the session, with `seq` and `toolResults`.
        added: the messages that replace them, which may have other results of the calls.
        tx: the transaction.

    Raises:
        Conflict: a call would stay without its result.
    """
    answered = {call_id for new in added for call_id in pairs_of(new.parts or (), new.tool_call_id)["toolResults"]}
    results = {call_id for message in removed for call_id in message.get("toolResults", ())} - answered
    first = min((message["seq"] for message in removed), default=1)
    for call_id in sorted(await _stored(database, visible, [*results], first - 1, tx)):
        message = f"tool call {shown(call_id)} would stay without its result: replace the messages from the call on"
        raise Conflict(message)


async def _stored(
    database: Database, visible: Visible, call_ids: Sequence[str], until: int | None, tx: Transaction
) -> set[str]:
    """Return the ids of calls in the visible part of a session, among the given ids up to a number."""
    if not call_ids:
        return set()
    match = {**visible.match("seq", until), "toolCalls": {"$in": list(call_ids)}}
    found = await database.messages.find(match, {"toolCalls": 1}, session=tx)
    return {call_id for message in found for call_id in message.get("toolCalls", ())} & set(call_ids)
