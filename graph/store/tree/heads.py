"""The heads of sessions, and their changes by deletions and by a caller. Each is part of a transaction."""

from __future__ import annotations

from collections.abc import Sequence

from graph.errors import BadUserInput
from graph.store.database import Database
from graph.store.documents import Document, MessageDocument, SessionDocument, now
from graph.store.driver.types import Transaction
from graph.store.scope import Scope
from graph.store.tree.branches import ROOT, Place, Tree, place_of, stored_branch
from graph.store.visible import Visible

READ = ("summarySeq", *Visible.HEAD_FIELDS)
"""The fields of a session that `update_for` and its callers read."""
_PLACE = {"seq": 1, "branch": 1}


async def change_of_head(
    database: Database, scope: Scope, session: SessionDocument, given: str, tx: Transaction
) -> Document:
    """Within a transaction, return the update of a session that makes a message its head; empty if it is the head.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        session: the session with the fields of `READ`.
        given: the caller's uuid of the message.
        tx: the transaction.

    Raises:
        BadUserInput: the session has no such message.
    """
    place = (await places(database, scope, session, [given], tx)).get(given)
    if place is None:
        message = f"head is {given}, and the session has no message with this uuid: send a uuid of its messages"
        raise BadUserInput(message)
    tree = Tree.of(session) or await line_of(database, session, tx)
    return {} if place == tree.head else await update_for(database, session, tree, tree.with_head(place), tx)


async def leave_removed(
    database: Database, session: SessionDocument, removed: Sequence[MessageDocument], tx: Transaction
) -> Visible:
    """Within a transaction, make the message before the head the head, if the head was deleted.

    Args:
        database: the open database.
        session: the session before the deletion, with `Visible.HEAD_FIELDS`.
        removed: the deleted messages, with `branch` and `seq`.
        tx: the transaction.

    Returns:
        The visible part of the session on the path to its head.
    """
    visible, tree = Visible.of(session), Tree.of(session)
    if tree is None:
        return visible
    places = {place_of(message) for message in removed}
    ended = {branch for branch, seq in places if tree.branches[branch]["last"] == seq}
    last = {branch: await _last_of(database, visible, branch, tx) for branch in ended}
    if tree.head in places:
        before = visible.on_path(tree).match("seq")
        newest = await database.messages.find_one(before, _PLACE, sort=[("seq", -1)], session=tx)
        tree = tree.with_head(ROOT if newest is None else place_of(newest))
    changed = tree.with_last(last)
    await database.sessions.update_one({"_id": session["_id"]}, changed.update(tree), session=tx)
    return visible if changed.is_line else visible.on_path(changed)


async def line_of(database: Database, session: SessionDocument, tx: Transaction) -> Tree:
    """Return the tree of a session whose stored messages form one line."""
    newest = await database.messages.find_one(Visible.of(session).match("seq"), _PLACE, sort=[("seq", -1)], session=tx)
    last = 0 if newest is None else newest["seq"]
    return Tree.line(last, last)


async def _last_of(database: Database, visible: Visible, branch: int, tx: Transaction) -> int:
    """Return the number of the last message of a branch; 0 without one."""
    match = {**visible.match("seq"), "branch": stored_branch(branch)}
    newest = await database.messages.find_one(match, _PLACE, sort=[("seq", -1)], session=tx)
    return 0 if newest is None else newest["seq"]


async def places(
    database: Database, scope: Scope, session: SessionDocument, given: Sequence[str], tx: Transaction
) -> dict[str, Place]:
    """Return the places of those visible messages of a session that a caller names, by the caller's uuid."""
    if not given:
        return {}
    visible = Visible.of(session)
    possible = {uuid: scope.possible_uuids(uuid) for uuid in given}
    match = {**visible.match("seq"), "_id": {"$in": [uuid for uuids in possible.values() for uuid in uuids]}}
    found = {one["_id"]: place_of(one) for one in await database.messages.find(match, _PLACE, session=tx)}
    return {name: found[uuid] for name, uuids in possible.items() for uuid in reversed(uuids) if uuid in found}


async def update_for(
    database: Database, session: SessionDocument, before: Tree, after: Tree, tx: Transaction
) -> Document:
    """Return the update of a session for another head; if its summaries are of another path, one is due."""
    update = after.update(Tree.of(session))
    if after.holds(before.head):
        return update
    newest = await database.summaries.find_one(
        Visible.of(session).on_path(after).match("lastSeq"), {"lastSeq": 1}, sort=[("lastSeq", -1)], session=tx
    )
    due = {"summarySeq": 0 if newest is None else newest["lastSeq"], "summarising": {"dueAt": now(), "attempts": 0}}
    return {**update, "$set": {**update.get("$set", {}), **due}}
