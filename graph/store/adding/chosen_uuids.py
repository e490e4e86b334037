"""The stored uuids of messages for the uuids that callers choose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from graph.errors import BadUserInput
from graph.store.adding.add_plan import NewMemory
from graph.store.database import Database
from graph.store.driver.types import Transaction
from graph.store.scope import Scope


async def with_stored_uuids(database: Database, scope: Scope, new: NewMemory, tx: Transaction) -> NewMemory:
    """Within a transaction, replace the uuids of a memory's messages by the stored ones.

    An end user's uuid names a message of the session, or is a choice among the user's own messages. A message of
    another session is treated like a missing one: it is not read, and takes the same time.

    Raises:
        BadUserInput: two of the uuids identify the same message.
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
    found = await database.messages.find(
        {"_id": {"$in": [uuid for uuids in possible.values() for uuid in uuids]}, "sessionId": session_id},
        {"_id": 1},
        session=tx,
    )
    stored = {message["_id"] for message in found}
    return {sent: next((uuid for uuid in uuids if uuid in stored), uuids[0]) for sent, uuids in possible.items()}


def _refuse_twice(uuids: Iterable[str]) -> None:
    seen = set()
    for uuid in uuids:
        if uuid in seen:
            message = f"two of the messages have the uuid of message {uuid}: send each message once"
            raise BadUserInput(message)
        seen.add(uuid)
