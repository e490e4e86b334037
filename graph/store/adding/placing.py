"""The places of new messages in the tree of a session.

Of a session whose messages form one line, nothing is read or written for a message that is added to its end.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graph.errors import BadUserInput
from graph.store.adding.add_plan import NIL, NewMessage
from graph.store.database import Database
from graph.store.documents import SessionDocument
from graph.store.driver.types import ReturnDocument, Transaction
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.tree.branches import ROOT, Parent, Place, Tree, planted
from graph.store.tree.heads import line_of, places, update_for


async def place_fresh(
    database: Database,
    scope: Scope,
    session: SessionDocument,
    fresh: Sequence[NewMessage],
    *,
    fields: Collection[str],
    tx: Transaction,
) -> tuple[SessionDocument, Sequence[int]]:
    """Within a transaction, find the branches of new messages, and make the last of these messages the head.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        session: the session with `lastSeq` after the addition, and the fields of `heads.READ`.
        fresh: the messages, which will be the last ones of the session.
        fields: the paths to read of the session.
        tx: the transaction.

    Returns:
        The session after the change, and the branch of each message.

    Raises:
        BadUserInput: a parent is no message of the session, or the session would have too many branches.
    """
    stored = Tree.of(session)
    if stored is None and all(message.parent_uuid is None for message in fresh):
        return session, [0] * len(fresh)
    first_seq = session["lastSeq"] - len(fresh) + 1
    tree = await line_of(database, session, tx) if stored is None else stored
    grown, branches = planted(tree, await _parents(database, scope, session, fresh, tx), first_seq)
    if stored is None and grown.is_line:
        return session, branches
    changed = await database.sessions.find_one_and_update(
        {"_id": session["_id"]},
        await update_for(database, session, tree, grown, tx),
        projection=projection(fields),
        return_document=ReturnDocument.AFTER,
        session=tx,
    )
    return session if changed is None else changed, branches


async def _parents(
    database: Database, scope: Scope, session: SessionDocument, fresh: Sequence[NewMessage], tx: Transaction
) -> list[Parent]:
    """Return the parent of each new message.

    Raises:
        BadUserInput: a parent is neither a message of the session nor an earlier one of the new messages.
    """
    named = [uuid for message in fresh if (uuid := message.parent_uuid) is not None and uuid != NIL]
    stored = await places(database, scope, session, named, tx)
    parents: list[Parent] = []
    index: dict[str, int] = {}
    for number, message in enumerate(fresh):
        parents.append(_parent(scope, message, index, stored))
        if message.uuid is not None:
            index[message.uuid] = number
    return parents


def _parent(scope: Scope, message: NewMessage, index: dict[str, int], stored: dict[str, Place]) -> Parent:
    if (given := message.parent_uuid) is None:
        return None
    if given == NIL:
        return ROOT
    among_new = (index[uuid] for uuid in scope.possible_uuids(given) if uuid in index)
    found = next(among_new, stored.get(given))
    if found is None:
        text = (
            f"parentUuid is {given}, and neither the session nor the messages before in this call have a message with"
            " this uuid: send the uuid of one of them, or leave parentUuid out"
        )
        raise BadUserInput(text)
    return found
