"""Which messages the uuids mean that a caller gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from graph.errors import BadUserInput
from graph.store.add_plan import NewMemory
from graph.store.database import Database
from graph.store.driver.types import Transaction
from graph.store.scope import Scope


async def with_stored_uuids(database: Database, scope: Scope, new: NewMemory, tx: Transaction) -> NewMemory:
    """Within a transaction, a memory whose messages have the uuids under which they are, or are to be, stored.

    An end user's uuid is the one of a message that the session holds, or one among the user's own. A message of
    another session is as one that is missing: it is not read, and the work is the same.

    Raises:
        BadUserInput: two of the uuids mean the same message.
    """
    chosen = [message.uuid for message in new.messages if message.uuid is not None]
    if scope.user_id is None or not chosen:
        return new
    stored = await _stored(database, scope, new.session_id, chosen, tx)
    _refuse_twice(stored.values())
    messages = [
        message if message.uuid is None else replace(message, uuid=stored[message.uuid]) for message in new.messages
    ]
    return replace(new, messages=messages)


async def _stored(
    database: Database, scope: Scope, session_id: str, chosen: Iterable[str], tx: Transaction
) -> dict[str, str]:
    """The stored uuid of each chosen one."""
    possible = {uuid: scope.possible_uuids(uuid) for uuid in chosen}
    there = await database.messages.find(
        {"_id": {"$in": [uuid for uuids in possible.values() for uuid in uuids]}, "sessionId": session_id},
        {"_id": 1},
        session=tx,
    )
    known = {message["_id"] for message in there}
    return {given: next((uuid for uuid in uuids if uuid in known), uuids[0]) for given, uuids in possible.items()}


def _refuse_twice(uuids: Iterable[str]) -> None:
    seen = set()
    for uuid in uuids:
        if uuid in seen:
            message = f"two of the messages mean message {uuid}: send each message once"
            raise BadUserInput(message)
        seen.add(uuid)
