"""The `memories` collection, and the write path: what one `addMemory` persists."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument

from graph.errors import Conflict, ErasureUnderWay, OutcomeUnknown, Unavailable
from graph.store import users
from graph.store.database import Database
from graph.store.documents import Document, new_uuid, now, pending
from graph.store.driver.answer import read_whole
from graph.store.driver.client import translated_errors
from graph.store.driver.transactions import LOOK_UP_SHARE, bounded
from graph.store.edits import Edit, apply_edit
from graph.store.entities import reading as entities
from graph.store.jobs import erasure
from graph.store.keyset import Listing
from graph.store.merge import merged_metadata
from graph.store.projection import projection
from graph.store.scope import Scope
from graph.store.sessions import refuse_other_prefix, refuse_other_user, refuse_unseen, visible
from graph.store.writes import write_session

_STORED = {"uuid": "_id"}
_LEAST_LOOK_UP = 1.0
"""Seconds that looking for what an unknown commit stored gets at least."""


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
    """A checked memory to be stored: at least one message.

    Attributes:
        digest: what tells this payload from another one that is sent with the same idempotency key.
        uuid: of the memory. It is given before the first attempt, so that what an attempt stored can be found by it.
    """

    session_id: str
    messages: Sequence[NewMessage]
    metadata: Document = field(default_factory=dict)
    user_id: str | None = None
    idempotency_key: str | None = None
    digest: str | None = None
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class Added:
    """What an add did.

    Attributes:
        memory: the whole memory document, `_id` under `uuid`.
        session: the session as it was when the transaction was committed, with `_id` and the fields that were asked
            for.
        replayed: the same had been added before, and nothing was changed now.
    """

    memory: Document
    session: Document
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
        found = await read_whole(database.memories, {"_id": {"$in": list(uuids)}}, wanted, limit=max(1, len(uuids)))
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


async def add_memory(database: Database, scope: Scope, new: NewMemory, session_fields: Collection[str] = ()) -> Added:
    """Store a memory and its messages in one transaction, making the session and the user where they are new.

    Messages whose uuid the session already knows are updated in place. When all of them are known, no memory is made:
    the one that holds the first of them is returned, `replayed` when nothing differed, the session's metadata and user
    included. A known idempotency key changes nothing.

    Args:
        database: the open database.
        scope: what the caller may see.
        new: what to add.
        session_fields: what to read of the session for the answer: after the commit no read is left that may fail.

    Raises:
        Conflict: the session belongs to another user, a message uuid to another session, or the idempotency key to
            another payload.
        Forbidden: the session is not the caller's, or is new and its id does not begin as the caller's must.
        OutcomeUnknown: MongoDB did not say whether the memory is stored, and it could not be looked up.
        Unavailable: the database does not answer, or other writers kept this one out until the deadline; nothing is
            stored.
    """
    add = _Add(database, scope, new, session_fields)
    user_id = new.user_id or scope.user_id
    try:
        return await write_session(database, new.session_id, add.attempt, user_id=user_id)
    except OutcomeUnknown as unknown:
        stored = await add.look_up()
        if stored is not None:
            return stored
        message = (
            f"{unknown}, or send it with the idempotencyKey or the message uuids that it had, which adds nothing twice"
        )
        raise OutcomeUnknown(message) from unknown


class _Add:
    """One `add_memory`, which may need several attempts."""

    def __init__(self, database: Database, scope: Scope, new: NewMemory, fields: Collection[str]) -> None:
        self._database, self._scope, self._new = database, scope, new
        self._user_id = new.user_id or scope.user_id
        self._fields = {*fields, "_id", "uuid", "userId", "lastSeq", "metadata", "erasedSeq"}
        self._tried = False

    async def look_up(self) -> Added | None:
        """What an attempt of this call stored after all, if that can be found out."""
        try:
            with bounded(max(_LEAST_LOOK_UP, self._database.write_deadline * LOOK_UP_SHARE)), translated_errors():
                return await self._stored()
        except Unavailable:
            return None

    async def attempt(self, session: Any) -> Added:
        """Within a transaction, add."""
        if self._tried and (stored := await self._stored(session)) is not None:
            return stored
        self._tried = True
        await self._refuse_strangers(session)
        if self._new.idempotency_key is not None and (replay := await self._replay(session)) is not None:
            return replay
        known = await _known_messages(self._database, self._new, session)
        fresh = [message for message in self._new.messages if message.uuid not in known]
        changed = [
            (known[message.uuid], message)
            for message in self._new.messages
            if message.uuid in known and message.edit.changes(known[message.uuid])
        ]
        if known:
            owner = await self._owner(session)
            _refuse_erased(owner, min(message["seq"] for message in known.values()))
            if not fresh and not changed:
                changes = await self._change_session(owner, now(), session)
                memory = await _memory_of(self._database, known, self._new, session)
                return Added(memory, owner | changes, replayed=not changes)
        return await self._add(fresh, changed, known, session)

    async def _refuse_strangers(self, session: Any) -> None:
        """Refuse a session that is not the caller's before anything is looked up by what was sent with it.

        So a stranger learns nothing of keys and message uuids that are in use.
        """
        new, scope = self._new, self._scope
        named = new.idempotency_key is not None or any(message.uuid is not None for message in new.messages)
        if scope.user_id is None or not named:
            return
        owner = await self._database.sessions.find_one({"_id": new.session_id}, {"userId": 1}, session=session)
        if owner is None:
            refuse_other_prefix(scope, new.session_id)
        else:
            refuse_unseen(scope, owner)

    async def _stored(self, session: Any = None) -> Added | None:
        """The memory of this call, which an earlier attempt stored without learning of it."""
        memory = await self._database.memories.find_one({"_id": self._new.uuid}, session=session)
        if memory is None:
            return None
        owner = await self._database.sessions.find_one(
            {"_id": self._new.session_id}, projection(self._fields), session=session
        )
        return None if owner is None else Added(as_memory(memory), owner, replayed=False)

    async def _replay(self, session: Any) -> Added | None:
        """What was stored with the same idempotency key."""
        new = self._new
        key = {"sessionId": new.session_id, "idempotencyKey": new.idempotency_key}
        earlier = await self._database.memories.find_one(key, session=session)
        if earlier is None:
            return None
        owner = await self._owner(session)
        _refuse_erased(owner, earlier["firstSeq"])
        # A memory that was stored before digests were has none.
        if earlier.get("payloadDigest", new.digest) != new.digest:
            raise Conflict(
                "idempotencyKey was sent before in this session with another payload: send that payload again, or a new"
                " key"
            )
        return Added(as_memory(earlier), owner, replayed=True)

    async def _owner(self, session: Any) -> Document:
        """The session, of which something is stored; refused when it is somebody else's."""
        new = self._new
        owner: Document | None = await self._database.sessions.find_one(
            {"_id": new.session_id}, projection(self._fields), session=session
        )
        if owner is None:
            raise ErasureUnderWay(erasure.session_job(new.session_id))
        self._refuse_other_owner(owner)
        return owner

    def _refuse_other_owner(self, owner: Document) -> None:
        refuse_unseen(self._scope, owner)
        refuse_other_user(owner, self._user_id)

    async def _add(
        self,
        fresh: Sequence[NewMessage],
        changed: Sequence[tuple[Document, NewMessage]],
        known: dict[str | None, Document],
        session: Any,
    ) -> Added:
        """Store new messages in a memory of their own, and what differs of known ones."""
        at = now()
        tokens = sum(message.token_count for message in fresh)
        tokens += sum(message.token_count - old["tokenCount"] for old, message in changed)
        owner = await self._upsert_session(at, count=len(fresh), tokens=tokens, session=session)
        for old, message in changed:
            await apply_edit(self._database, old, message.edit, token_count=message.token_count, at=at, session=session)
        if fresh:
            memory = await self._insert(fresh, owner["lastSeq"], at, session)
        else:
            memory = await _memory_of(self._database, known, self._new, session)
        return Added(memory, owner, replayed=False)

    async def _insert(self, fresh: Sequence[NewMessage], last_seq: int, at: datetime, session: Any) -> Document:
        new = self._new
        memory: Document = {
            "_id": new.uuid,
            "sessionId": new.session_id,
            "firstSeq": last_seq - len(fresh) + 1,
            "lastSeq": last_seq,
            "tokenCount": sum(message.token_count for message in fresh),
            "metadata": new.metadata,
            "createdAt": at,
        }
        if new.idempotency_key is not None:
            memory["idempotencyKey"] = new.idempotency_key
        if new.digest is not None:
            memory["payloadDigest"] = new.digest
        await self._database.memories.insert_one(memory, session=session)
        documents = [
            _message_document(message, memory, seq, at) for seq, message in enumerate(fresh, memory["firstSeq"])
        ]
        await self._database.messages.insert_many(documents, session=session)
        return as_memory(memory)

    async def _upsert_session(self, at: datetime, *, count: int, tokens: int, session: Any) -> Document:
        """Allot `count` numbers in the session, making it where it is new; returns it as it is afterwards."""
        new, user_id, uuid = self._new, self._user_id, new_uuid()
        owner: Document = await self._database.sessions.find_one_and_update(
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
            projection=projection(self._fields),
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        self._refuse_other_owner(owner)
        if owner["uuid"] != uuid:
            return owner | await self._change_session(owner, at, session)
        refuse_other_prefix(self._scope, new.session_id)
        await erasure.refuse_while_under_way(self._database, erasure.session_job(new.session_id), session)
        if user_id is not None:
            await users.give_session(self._database, user_id, at, session)
        return owner

    async def _change_session(self, owner: Document, at: datetime, session: Any) -> Document:
        """Merge what was sent with the messages into the session that is there; returns what differs afterwards."""
        database, session_id, user_id = self._database, self._new.session_id, self._user_id
        changes: Document = {}
        if user_id is not None and owner.get("userId") is None:
            changes["userId"] = user_id
            await entities.give_to_user(database, session_id, user_id, session)
            await users.give_session(database, user_id, at, session)
        if (metadata := merged_metadata(owner["metadata"], self._new.metadata)) is not owner["metadata"]:
            changes["metadata"] = metadata
        if not changes:
            return changes
        changed: Document = await database.sessions.find_one_and_update(
            {"_id": session_id},
            {"$set": changes, "$max": {"updatedAt": at}},
            projection=projection(self._fields),
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        return changed


def _message_document(message: NewMessage, memory: Document, seq: int, at: datetime) -> Document:
    return {
        "_id": message.uuid or new_uuid(),
        "sessionId": memory["sessionId"],
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


def _refuse_erased(owner: Document, seq: int) -> None:
    if seq <= owner.get("erasedSeq", 0):
        raise ErasureUnderWay(erasure.session_job(owner["_id"]))


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
