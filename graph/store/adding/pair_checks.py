"""Checks that no result of a tool is without its call, and no call loses its result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from graph.errors import Conflict, shown
from graph.store.adding.add_plan import NewMessage
from graph.store.adding.tool_pairs import pairs_of
from graph.store.database import Database
from graph.store.documents import MessageDocument, SessionDocument
from graph.store.driver.types import Transaction
from graph.store.tree.branches import Place, Range, Tree, place_of
from graph.store.visible import Visible

Path: TypeAlias = tuple[Range, ...] | None
"""The ranges of a path; None in a session whose messages form one line."""


async def refuse_orphans(
    database: Database, session: SessionDocument, placed: Iterable[tuple[NewMessage, Place]], tx: Transaction
) -> None:
    """Within a transaction, refuse new messages with the result of a call that is not on their path.

    A call may be in the same message, or in a message before it on the path, new or visible in the session.

    Args:
        database: the open database.
        session: the session with the new messages, read with `Visible.HEAD_FIELDS`.
        placed: the new messages with their places, oldest first.
        tx: the transaction.

    Raises:
        Conflict: a call is missing.
    """
    tree, called = Tree.of(session), defaultdict[str, list[Place]](list)
    missing: list[tuple[str, Path]] = []
    for message, place in placed:
        pairs = pairs_of(message.parts or (), message.tool_call_id)
        for call_id in pairs["toolCalls"]:
            called[call_id].append(place)
        path = tree.path(place) if tree is not None and pairs["toolResults"] else None
        missing += [(call_id, path) for call_id in pairs["toolResults"] if not _on(path, called[call_id])]
    stored = await _stored(database, Visible.of(session), [call_id for call_id, _ in missing], None, tx)
    for call_id, path in missing:
        if not _on(path, stored[call_id]):
            owner = "session" if path is None else "path to the message"
            message_ = f"the {owner} has no tool call {shown(call_id)}: add the call before its result"
            raise Conflict(message_)


def _on(path: Path, places: Iterable[Place]) -> bool:
    """Return whether one of the places is on a path."""
    return any(path is None or any(part.holds(place) for part in path) for place in places)


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
        visible: the visible part of the session on the path to its head.
        removed: the newest messages of the path, with `seq` and `toolResults`.
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
) -> defaultdict[str, list[Place]]:
    """Return the places of calls in the visible part of a session, among the given ids up to a number."""
    places = defaultdict[str, list[Place]](list)
    if not call_ids:
        return places
    match = {**visible.match("seq", until), "toolCalls": {"$in": list(call_ids)}}
    wanted = set(call_ids)
    for message in await database.messages.find(match, {"toolCalls": 1, "branch": 1, "seq": 1}, session=tx):
        for call_id in wanted.intersection(message.get("toolCalls", ())):
            places[call_id].append(place_of(message))
    return places
