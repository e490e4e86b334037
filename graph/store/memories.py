"""The `memories` collection, and the write path: what one `addMemory` persists."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from graph.errors import Conflict, Unavailable
from graph.store.client import translated_errors
from graph.store.database import Database
from graph.store.documents import Document, new_uuid, now, pending
from graph.store.merge import merged
from graph.store.projection import projection
from graph.store.scope import Scope
from graph.store.transactions import in_transaction

_STORED = {"uuid": "_id"}


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A checked message to be stored.

    Attributes:
        uuid: the caller's, in canonical form; None lets the store choose.
        token_count: tokens of `"{role}: {content}"`.
    """

    role: str
    content: str
    token_count: int
    metadata: Document = field(default_factory=dict)
    uuid: str | None = None


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A checked memory to be stored: at least one message."""

    session_id: str
    messages: Sequence[NewMessage]
    metadata: Document = field(default_factory=dict)
    user_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What an add did.

    Attributes:
        memory: the whole memory document, `_id` under `uuid`.
        replayed: the same had been added before, and nothing was changed now.
    """

    memory: Document
    replayed: bool


def as_memory(document: Document) -> Document:
    """A document of `memories` as the source of a `Memory`."""
    return {("uuid" if name == "_id" else name): value for name, value in document.items()}


async def find_memory(database: Database, scope: Scope, uuid: str, fields: Collection[str]) -> Document | None:
    """The persisted memory with only `fields`, or None when it is unknown or outside the scope."""
    with translated_errors():
        found = await database.memories.find_one({"_id": uuid}, projection({*fields, "uuid", "sessionId"}, _STORED))
        if found is None:
            return None
        if scope.user_id is not None and not await database.sessions.find_one(
            {"_id": found["sessionId"], **scope.sessions()}, {"_id": 1}
        ):
            return None
    return as_memory(found)


async def add_memory(database: Database, scope: Scope, new: NewMemory) -> Added:
    """Store a memory and its messages in one transaction, making the session and the user where they are new.

    Messages whose uuid the session already knows are updated in place. When all of them are known, no memory is made:
    the one that holds the first of them is returned, `replayed` when nothing differed.

    Raises:
        Conflict: the session belongs to another user, or a message uuid to another session.
        Unavailable: the database does not answer, or other writers kept this one out until the deadline.
    """

    async def attempt(session: Any) -> Added:
        return await _add(database, scope, new, session)

    async with database.write_lock(new.session_id):
        with translated_errors():
            try:
                return await in_transaction(database.client, attempt, deadline=database.write_deadline)
            except DuplicateKeyError as error:
                # Two calls with one idempotency key or message uuid met: the other has committed, and is found now.
                try:
                    return await in_transaction(database.client, attempt, deadline=database.write_deadline)
                except DuplicateKeyError:
                    message = "another write with the same uuid or idempotencyKey is under way: try again"
                    raise Unavailable(message) from error


async def _add(database: Database, scope: Scope, new: NewMemory, session: Any) -> Added:
    if new.idempotency_key is not None:
        earlier = await database.memories.find_one(
            {"sessionId": new.session_id, "idempotencyKey": new.idempotency_key}, session=session
        )
        if earlier is not None:
            await _check_owner(database, scope, new, session)
            return Added(as_memory(earlier), replayed=True)
    known = await _known_messages(database, new, session)
    fresh = [message for message in new.messages if message.uuid not in known]
    at = now()
    changed = [
        (known[message.uuid], message)
        for message in new.messages
        if message.uuid in known and _differs(known[message.uuid], message)
    ]
    if not fresh and not changed:
        await _check_owner(database, scope, new, session)
        return Added(await _memory_of(database, known, new, session), replayed=True)
    tokens = sum(message.token_count for message in fresh)
    tokens += sum(message.token_count - old["tokenCount"] for old, message in changed)
    owner = await _upsert_session(database, scope, new, at, count=len(fresh), tokens=tokens, session=session)
    for old, message in changed:
        await _update_message(database, old, message, at, session)
    if not fresh:
        return Added(await _memory_of(database, known, new, session), replayed=False)
    first_seq = owner["lastSeq"] - len(fresh) + 1
    memory: Document = {
        "_id": new_uuid(),
        "sessionId": new.session_id,
        "firstSeq": first_seq,
        "lastSeq": owner["lastSeq"],
        "tokenCount": sum(message.token_count for message in fresh),
        "metadata": new.metadata,
        "createdAt": at,
    }
    if new.idempotency_key is not None:
        memory["idempotencyKey"] = new.idempotency_key
    await database.memories.insert_one(memory, session=session)
    await database.messages.insert_many(
        [
            {
                "_id": message.uuid or new_uuid(),
                "sessionId": new.session_id,
                "memoryId": memory["_id"],
                "seq": seq,
                "role": message.role,
                "content": message.content,
                "metadata": message.metadata,
                "tokenCount": message.token_count,
                "entities": [],
                "createdAt": at,
                "updatedAt": at,
                "enrichment": pending(at),
            }
            for seq, message in enumerate(fresh, first_seq)
        ],
        session=session,
    )
    return Added(as_memory(memory), replayed=False)


async def _check_owner(database: Database, scope: Scope, new: NewMemory, session: Any) -> None:
    """Refuse a call that names a session of somebody else."""
    owner = await database.sessions.find_one({"_id": new.session_id}, {"userId": 1}, session=session)
    _refuse_other_owner(scope, new, owner)


def _refuse_other_owner(scope: Scope, new: NewMemory, owner: Document | None) -> None:
    if owner is None:
        return
    if not scope.sees_session(owner):
        message = f"session {new.session_id!r} is already in use"
        raise Conflict(message)
    named = new.user_id or scope.user_id
    if named is not None and owner.get("userId") not in (None, named):
        message = f"session {new.session_id!r} belongs to another user: a session's user can't change"
        raise Conflict(message)


async def _known_messages(database: Database, new: NewMemory, session: Any) -> dict[str | None, Document]:
    """The stored messages among those sent, by uuid."""
    uuids = [message.uuid for message in new.messages if message.uuid is not None]
    if not uuids:
        return {}
    found = await database.messages.find({"_id": {"$in": uuids}}, session=session).to_list(None)
    for message in found:
        if message["sessionId"] != new.session_id:
            text = f"message uuid {message['_id']} is already in use: leave uuid out, or send a new one"
            raise Conflict(text)
    return {message["_id"]: message for message in found}


def _differs(old: Document, new: NewMessage) -> bool:
    return (old["role"], old["content"]) != (new.role, new.content) or merged(old["metadata"], new.metadata) != old[
        "metadata"
    ]


async def _memory_of(database: Database, known: dict[str | None, Document], new: NewMemory, session: Any) -> Document:
    """The memory that holds the first of the known messages."""
    first = known[new.messages[0].uuid]
    return as_memory(await database.memories.find_one({"_id": first["memoryId"]}, session=session))


async def _upsert_session(
    database: Database, scope: Scope, new: NewMemory, at: datetime, *, count: int, tokens: int, session: Any
) -> Document:
    """Allot `count` numbers in the session, making it where it is new; returns it as it is afterwards."""
    user_id = new.user_id or scope.user_id
    uuid = new_uuid()
    owner: Document = await database.sessions.find_one_and_update(
        {"_id": new.session_id},
        {
            "$inc": {"lastSeq": count, "messageCount": count, "tokenCount": tokens},
            "$max": {"updatedAt": at},
            "$setOnInsert": {
                "uuid": uuid,
                "createdAt": at,
                "metadata": new.metadata,
                "summarySeq": 0,
                **({"userId": user_id} if user_id is not None else {}),
            },
        },
        projection={"uuid": 1, "userId": 1, "lastSeq": 1, "metadata": 1},
        upsert=True,
        return_document=ReturnDocument.AFTER,
        session=session,
    )
    _refuse_other_owner(scope, new, owner)
    changes: Document = {}
    if user_id is not None and owner.get("userId") is None:
        changes["userId"] = user_id
    if owner["uuid"] != uuid and (metadata := merged(owner["metadata"], new.metadata)) != owner["metadata"]:
        changes["metadata"] = metadata
    if changes:
        await database.sessions.update_one({"_id": new.session_id}, {"$set": changes}, session=session)
    if user_id is not None:
        await _ensure_user(database, user_id, at, session)
    return owner


async def _ensure_user(database: Database, user_id: str, at: datetime, session: Any) -> None:
    """Make the user unless it exists: naming one is enough, as for sessions."""
    if await database.users.find_one({"_id": user_id}, {"_id": 1}, session=session) is None:
        await database.users.insert_one(
            {"_id": user_id, "uuid": new_uuid(), "metadata": {}, "createdAt": at, "updatedAt": at}, session=session
        )


async def _update_message(database: Database, old: Document, new: NewMessage, at: datetime, session: Any) -> None:
    changes: Document = {
        "role": new.role,
        "tokenCount": new.token_count,
        "metadata": merged(old["metadata"], new.metadata),
        "updatedAt": at,
    }
    if new.content != old["content"]:
        changes |= {"content": new.content, "entities": [], "enrichment": pending(at)}
    await database.messages.update_one({"_id": old["_id"]}, {"$set": changes}, session=session)
    await database.memories.update_one(
        {"_id": old["memoryId"]}, {"$inc": {"tokenCount": new.token_count - old["tokenCount"]}}, session=session
    )
