"""The `memories` collection, and the write path: what one `addMemory` persists."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument

from graph.errors import Conflict, ErasureUnderWay
from graph.store import users
from graph.store.database import Database
from graph.store.documents import Document, new_uuid, now, pending
from graph.store.driver.client import translated_errors
from graph.store.edits import Edit, apply_edit
from graph.store.entities import reading as entities
from graph.store.jobs import erasure
from graph.store.keyset import Listing
from graph.store.merge import merged_metadata
from graph.store.projection import projection
from graph.store.scope import Scope
from graph.store.sessions import refuse_other_user, refuse_unseen, visible
from graph.store.writes import write_session

_STORED = {"uuid": "_id"}


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A checked message to be stored.

    Attributes:
        uuid: the caller's, in canonical form; None lets the store choose.
        token_count: tokens of `"{role}: {content}"`.
        created_at: when it was said, where it was kept elsewhere until now; None for now.
    """

    role: str
    content: str
    token_count: int
    metadata: Document = field(default_factory=dict)
    uuid: str | None = None
    created_at: datetime | None = None

    @property
    def edit(self) -> Edit:
        """What it changes of the message that has its uuid already."""
        return Edit(self.role, self.content, self.metadata)


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


async def find_memories(
    database: Database, scope: Scope, uuids: Collection[str], fields: Collection[str]
) -> list[Document]:
    """Those of the persisted memories that exist within the scope, in no order, with `fields` and `_id`."""
    wanted = projection({*fields, "uuid", "sessionId", "firstSeq"}, _STORED)
    with translated_errors():
        found: list[Document] = await database.memories.find({"_id": {"$in": list(uuids)}}, wanted).to_list(None)
    return await visible(database, scope, found, "firstSeq")


def list_memories(database: Database, session_id: str, erased_seq: int) -> Listing:
    """The persisted memories of a session that the caller has been found to see, oldest first.

    Args:
        database: the open database.
        session_id: a session read within the caller's scope.
        erased_seq: the session's `erasedSeq`, or 0.
    """
    return Listing(
        database.memories,
        {"sessionId": session_id, "firstSeq": {"$gt": erased_seq}},
        ("firstSeq",),
        ("sessionId", "firstSeq"),
        rename=_STORED,
        shape=as_memory,
    )


async def add_memory(database: Database, scope: Scope, new: NewMemory) -> Added:
    """Store a memory and its messages in one transaction, making the session and the user where they are new.

    Messages whose uuid the session already knows are updated in place. When all of them are known, no memory is made:
    the one that holds the first of them is returned, `replayed` when nothing differed, the session's metadata and user
    included. A known idempotency key changes nothing, whatever else is sent.

    Raises:
        Conflict: the session belongs to another user, or a message uuid to another session.
        Unavailable: the database does not answer, or other writers kept this one out until the deadline.
    """

    async def attempt(session: Any) -> Added:
        return await _add(database, scope, new, session)

    return await write_session(database, new.session_id, attempt, user_id=new.user_id or scope.user_id)


async def _add(database: Database, scope: Scope, new: NewMemory, session: Any) -> Added:
    if new.idempotency_key is not None:
        earlier = await database.memories.find_one(
            {"sessionId": new.session_id, "idempotencyKey": new.idempotency_key}, session=session
        )
        if earlier is not None:
            _refuse_erased(await _owner(database, scope, new, session), earlier["firstSeq"])
            return Added(as_memory(earlier), replayed=True)
    known = await _known_messages(database, new, session)
    fresh = [message for message in new.messages if message.uuid not in known]
    at = now()
    changed = [
        (known[message.uuid], message)
        for message in new.messages
        if message.uuid in known and message.edit.changes(known[message.uuid])
    ]
    if known:
        owner = await _owner(database, scope, new, session)
        _refuse_erased(owner, min(message["seq"] for message in known.values()))
        if not fresh and not changed:
            different = await _change_session(database, scope, new, owner, at=at, session=session)
            return Added(await _memory_of(database, known, new, session), replayed=not different)
    tokens = sum(message.token_count for message in fresh)
    tokens += sum(message.token_count - old["tokenCount"] for old, message in changed)
    owner = await _upsert_session(database, scope, new, at, count=len(fresh), tokens=tokens, session=session)
    for old, message in changed:
        await apply_edit(database, old, message.edit, token_count=message.token_count, at=at, session=session)
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
                "createdAt": min(message.created_at or at, at),
                "updatedAt": at,
                "enrichment": pending(at),
            }
            for seq, message in enumerate(fresh, first_seq)
        ],
        session=session,
    )
    return Added(as_memory(memory), replayed=False)


async def _owner(database: Database, scope: Scope, new: NewMemory, session: Any) -> Document:
    """The session, of which something is stored; refused when it is somebody else's."""
    owner: Document | None = await database.sessions.find_one(
        {"_id": new.session_id}, {"userId": 1, "metadata": 1, "erasedSeq": 1}, session=session
    )
    if owner is None:
        raise ErasureUnderWay(erasure.session_job(new.session_id))
    _refuse_other_owner(scope, new, owner)
    return owner


def _refuse_erased(owner: Document, seq: int) -> None:
    if seq <= owner.get("erasedSeq", 0):
        raise ErasureUnderWay(erasure.session_job(owner["_id"]))


def _refuse_other_owner(scope: Scope, new: NewMemory, owner: Document) -> None:
    refuse_unseen(scope, owner)
    refuse_other_user(owner, new.user_id or scope.user_id)


async def _known_messages(database: Database, new: NewMemory, session: Any) -> dict[str | None, Document]:
    """The stored messages among those sent, by uuid."""
    uuids = [message.uuid for message in new.messages if message.uuid is not None]
    if not uuids:
        return {}
    found = await database.messages.find({"_id": {"$in": uuids}}, session=session).to_list(None)
    for message in found:
        if message["sessionId"] != new.session_id:
            await _refuse_foreign(database, message, session)
    return {message["_id"]: message for message in found}


async def _refuse_foreign(database: Database, message: Document, session: Any) -> None:
    """Refuse a uuid of another session; one that is being erased there is free again soon."""
    owner = await database.sessions.find_one({"_id": message["sessionId"]}, {"erasedSeq": 1}, session=session)
    if owner is None or message["seq"] <= owner.get("erasedSeq", 0):
        raise ErasureUnderWay(erasure.session_job(message["sessionId"]))
    text = f"message uuid {message['_id']} is already in use: leave uuid out, or send a new one"
    raise Conflict(text)


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
    created = owner["uuid"] == uuid
    if created:
        await erasure.refuse_while_under_way(database, erasure.session_job(new.session_id), session)
        if user_id is not None:
            await users.give_session(database, user_id, at, session)
    else:
        await _change_session(database, scope, new, owner, at=at, session=session)
    return owner


async def _change_session(
    database: Database, scope: Scope, new: NewMemory, owner: Document, *, at: datetime, session: Any
) -> bool:
    """Merge what was sent with the messages into the session that is there; whether it differs afterwards."""
    user_id = new.user_id or scope.user_id
    changes: Document = {}
    if user_id is not None and owner.get("userId") is None:
        changes["userId"] = user_id
        await entities.give_to_user(database, new.session_id, user_id, session)
        await users.give_session(database, user_id, at, session)
    if (metadata := merged_metadata(owner["metadata"], new.metadata)) is not owner["metadata"]:
        changes["metadata"] = metadata
    if changes:
        await database.sessions.update_one(
            {"_id": new.session_id}, {"$set": changes, "$max": {"updatedAt": at}}, session=session
        )
    return bool(changes)
