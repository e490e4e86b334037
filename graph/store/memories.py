"""The `memories` collection, and the writes of one `addMemory`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from graph.errors import OutcomeUnknown, Unavailable
from graph.store import users
from graph.store.adding.add_plan import (
    Append,
    Edits,
    ExistingDocuments,
    NewMemory,
    NewMessage,
    Replay,
    Update,
    plan_of,
    refuse_other_owner,
    session_changes,
    tokens_added,
    user_of,
)
from graph.store.adding.answer_bound import AnswerBound, Contents
from graph.store.adding.chosen_uuids import with_stored_uuids
from graph.store.adding.new_memory import fields_of_new_session, memory_document, message_documents, stream_documents
from graph.store.adding.pair_checks import refuse_orphans
from graph.store.adding.placing import place_fresh
from graph.store.database import Database
from graph.store.documents import (
    Document,
    MemoryDocument,
    MessageDocument,
    SessionChanges,
    SessionDocument,
    new_uuid,
    now,
)
from graph.store.driver.deadline import bounded
from graph.store.driver.transactions import LOOK_UP_SHARE
from graph.store.driver.types import ReturnDocument, Transaction
from graph.store.editing.edits import apply_edit
from graph.store.editing.newest import remove_from
from graph.store.editing.stamps import Stamp, stamp_of
from graph.store.expiry import update_of
from graph.store.jobs import erasure, handover
from graph.store.reading.keyset import Listing
from graph.store.reading.projection import projection
from graph.store.scope import Scope
from graph.store.sessions import refuse_other_prefix, refuse_unseen, session_to_change
from graph.store.tree import heads
from graph.store.tree.branches import Place
from graph.store.visibility import find_visible
from graph.store.visible import Visible
from graph.store.writes import write_session

_STORED = {"uuid": "_id"}
_AT_ONCE = 100
"""Messages in memory at once while their sizes are added up."""
_LEAST_LOOK_UP = 1.0
"""Minimum seconds for looking up the result of a commit that MongoDB did not confirm."""


@dataclass(frozen=True, slots=True)
class Added:
    """The result of an add.

    Attributes:
        memory: the whole memory document, `_id` under `uuid`.
        session: the session at the commit, with `_id` and the requested fields.
        replayed: whether the same memory had been added before, so that nothing changed.
        removed: the messages that the memory's messages replaced, oldest first, without their contents.
    """

    memory: Document
    session: SessionDocument
    replayed: bool
    removed: Sequence[MessageDocument] = ()


def as_memory(document: MemoryDocument | Document) -> Document:
    """Return a document of `memories` as the source of a `Memory`."""
    return {("uuid" if name == "_id" else name): value for name, value in document.items()}


async def find_memories(
    database: Database, scope: Scope, uuids: Collection[str], fields: Collection[str]
) -> list[MemoryDocument]:
    """Return the persisted memories that exist within the scope, in no order, with `fields` and `_id`."""
    projected = projection({*fields, "uuid", "sessionId", "firstSeq"}, _STORED)
    return await find_visible(database, database.memories, scope, uuids, projected, place="firstSeq")


def list_memories(database: Database, visible: Visible) -> Listing:
    """Return the visible persisted memories of a session, oldest first."""
    return Listing(
        database.memories,
        visible.match("firstSeq"),
        ("firstSeq",),
        ("sessionId", "firstSeq"),
        rename=_STORED,
        shape=as_memory,
    )


async def add_memory(
    database: Database,
    scope: Scope,
    new: NewMemory,
    session_fields: Collection[str] = (),
    answer: AnswerBound | None = None,
) -> Added:
    """Store a memory and its messages in one transaction; create a new session and user.

    Messages whose uuid the session has are updated in place. If it has all of them, no memory is created: the memory of
    the first one is returned, `replayed` if nothing differed, the session's metadata and user included. A known
    idempotency key changes nothing. A replacement deletes messages in the same transaction, and updates no message.

    Args:
        database: the open database.
        scope: the data that the caller may see.
        new: the memory to add.
        session_fields: the paths to read of the session for the answer, before the commit, since a later read may fail.
        answer: refuses an add, before anything is stored, whose messages do not fit into the answer; None for no bound.

    Raises:
        Conflict: the session belongs to another user, a message uuid to another session, or the idempotency key to
            another payload.
        Forbidden: the session is outside the caller's scope, or is new and its id lacks the caller's prefix.
        NotFound: the session of a replacement is not within the scope.
        OutcomeUnknown: MongoDB did not confirm whether the memory is stored, and the look-up failed.
        Unavailable: the database does not answer, or other writers held the lock until the deadline; nothing is
            stored.
    """
    add = _Add(database, scope, new, session_fields, answer)
    try:
        added = await write_session(database, new.session_id, add.attempt, user_id=user_of(new, scope))
    except OutcomeUnknown as unknown:
        stored = await add.look_up()
        if stored is not None:
            return stored
        message = (
            f"{unknown}, or send it with the idempotencyKey or the message uuids that it had, which adds nothing twice"
        )
        raise OutcomeUnknown(message) from unknown
    if add.hands_over:
        await handover.settle(database, new.session_id)
    return added


class _Add:
    """One `add_memory`, which may need several attempts."""

    def __init__(
        self,
        database: Database,
        scope: Scope,
        new: NewMemory,
        fields: Collection[str],
        answer: AnswerBound | None,
    ) -> None:
        self._answer = answer
        self._database, self._scope, self._sent, self._new = database, scope, new, new
        self._fields = {*fields, "_id", "uuid", "userId", "lastSeq", "metadata", "revision", "expiresAt", *heads.READ}
        self._tried = False
        self._removed: list[MessageDocument] = []
        self.hands_over = False

    async def look_up(self) -> Added | None:
        """Return the result of an unconfirmed attempt of this call, if it can be found."""
        try:
            with bounded(max(_LEAST_LOOK_UP, self._database.write_deadline * LOOK_UP_SHARE)):
                return await self._stored()
        except Unavailable:
            return None

    async def attempt(self, tx: Transaction) -> Added:
        """Within a transaction, read the stored documents, plan the add, and execute the plan."""
        if self._tried and (stored := await self._stored(tx)) is not None:
            return stored
        self._tried, self.hands_over = True, False
        await self._refuse_strangers(tx)
        self._new = await with_stored_uuids(self._database, self._scope, self._sent, tx)
        existing = await self._existing(tx)
        match plan := plan_of(self._new, existing, self._scope):
            case Replay():
                return Added(await self._memory(plan.memory_id, existing, tx), plan.session, replayed=True)
            case Update():
                return await self._update(plan, existing, tx)
            case Append():
                return await self._append(plan, tx)
            case _:
                assert_never(plan)

    async def _refuse_strangers(self, tx: Transaction) -> None:
        """Refuse a session outside the caller's scope before the look-up of sent keys and uuids.

        So a foreign caller can't find out which keys and message uuids are in use.
        """
        new, scope = self._new, self._scope
        if new.replaces_from is not None:
            await session_to_change(self._database, scope, new.session_id, tx)
            return
        named = new.idempotency_key is not None or any(message.uuid is not None for message in new.messages)
        if scope.user_id is None or not named:
            return
        session = await self._database.sessions.find_one({"_id": new.session_id}, {"userId": 1}, session=tx)
        if session is None:
            refuse_other_prefix(scope, new.session_id)
        else:
            refuse_unseen(scope, session)

    async def _stored(self, tx: Transaction | None = None) -> Added | None:
        """Return the memory of this call that an unconfirmed attempt stored."""
        memory = await self._database.memories.find_one({"_id": self._new.uuid}, session=tx)
        session = None if memory is None else await self._session(tx)
        if memory is None or session is None:
            return None
        return Added(as_memory(memory), session, replayed=False, removed=self._removed)

    async def _session(self, tx: Transaction | None) -> SessionDocument | None:
        return await self._database.sessions.find_one(
            {"_id": self._new.session_id}, projection(self._fields), session=tx
        )

    async def _existing(self, tx: Transaction) -> ExistingDocuments:
        """Read the stored documents that the add depends on."""
        new = self._new
        if new.idempotency_key is not None:
            key = {"sessionId": new.session_id, "idempotencyKey": new.idempotency_key}
            if (earlier := await self._database.memories.find_one(key, session=tx)) is not None:
                return ExistingDocuments(earlier=earlier, session=await self._session(tx))
        uuids = [message.uuid for message in new.messages if message.uuid is not None]
        if not uuids:
            return ExistingDocuments()
        found = await self._database.messages.find({"_id": {"$in": uuids}}, session=tx)
        for message in found:
            if message["sessionId"] != new.session_id:
                return ExistingDocuments(foreign=(message, await self._foreign_session(message, tx)))
        if not found:
            return ExistingDocuments()
        return ExistingDocuments(
            messages={message["_id"]: message for message in found},
            session=await self._session(tx),
            memory=None
            if new.replaces_from is None
            else await self._database.memories.find_one({"_id": found[0]["memoryId"]}, session=tx),
        )

    async def _foreign_session(self, message: MessageDocument, tx: Transaction) -> SessionDocument | None:
        return await self._database.sessions.find_one(
            {"_id": message["sessionId"]}, projection(Visible.FIELDS), session=tx
        )

    async def _memory(self, memory_id: str, existing: ExistingDocuments, tx: Transaction) -> Document:
        """A stored memory."""
        found = existing.earlier or await self._database.memories.find_one({"_id": memory_id}, session=tx)
        return {} if found is None else as_memory(found)

    async def _update(self, plan: Update, existing: ExistingDocuments, tx: Transaction) -> Added:
        """Change messages and the session."""
        at, session = now(), plan.session
        self._new.expected.refuse_other(session.get("revision", 0), session["uuid"])
        await self._refuse_larger_memory(plan, tx)
        if plan.edits:
            session = await self._allot(at, count=0, tokens=tokens_added(plan.edits), uuid=session["uuid"], tx=tx)
        await self._edit(session, plan.edits, stamp_of(session["revision"], len(plan.edits)), at, tx)
        session = await self._change_session(session, plan.session_changes, at, tx)
        return Added(await self._memory(plan.memory_id, existing, tx), session, replayed=False)

    async def _append(self, plan: Append, tx: Transaction) -> Added:
        """Store new messages in a new memory, and change stored ones."""
        await self._refuse_larger_fresh(plan.fresh)
        at = now()
        self._removed = await self._remove_replaced(len(plan.edits), tx)
        session = await self._open_session(plan, at, tx)
        stamp = stamp_of(session["revision"], len(plan.edits) + len(self._removed))
        await self._edit(session, plan.edits, stamp, at, tx)
        memory, session = await self._insert(plan.fresh, session, at, tx)
        return Added(memory, session, replayed=False, removed=self._removed)

    async def _refuse_larger_fresh(self, fresh: Sequence[NewMessage]) -> None:
        """Refuse new messages that do not fit into the answer: on a thread, since a call may have 16 MB of contents."""
        if (answer := self._answer) is None or not answer.reads:
            return
        contents = (Contents(message.content, message.metadata, message.parts) for message in reversed(fresh))
        answer.refuse(await asyncio.to_thread(sum, map(answer.size, range(len(fresh)), contents)))

    async def _refuse_larger_memory(self, plan: Update, tx: Transaction) -> None:
        """Refuse changes of stored messages where the messages of their memory would not fit into the answer."""
        if (answer := self._answer) is None or not answer.reads:
            return
        memory = await self._memory(plan.memory_id, ExistingDocuments(), tx)
        match = Visible.of_memory(memory).match("seq", memory["lastSeq"])
        edited = {old["_id"]: message for old, message in plan.edits}
        fields = projection({"_id", *answer.reads})
        place = size = 0
        async with aclosing(
            self._database.messages.batches(match, fields, size=_AT_ONCE, sort=[("seq", -1)], session=tx)
        ) as batches:
            async for found in batches:
                for message in found:
                    size += answer.size(place, Contents.after(message, edited.get(message["_id"])))
                    place += 1
                answer.refuse(size)

    async def _remove_replaced(self, edited: int, tx: Transaction) -> list[MessageDocument]:
        new = self._new
        if new.replaces_from is None:
            return []
        session = await session_to_change(self._database, self._scope, new.session_id, tx)
        new.expected.refuse_other(session.get("revision", 0), session["uuid"])
        return await remove_from(self._database, self._scope, session, new, tx, edited=edited)

    async def _edit(self, session: SessionDocument, edits: Edits, stamp: Stamp, at: datetime, tx: Transaction) -> None:
        for old, message in edits:
            tokens = message.token_count
            await apply_edit(self._database, session, old, message.edit, token_count=tokens, stamp=stamp, at=at, tx=tx)

    async def _insert(
        self, fresh: Sequence[NewMessage], session: SessionDocument, at: datetime, tx: Transaction
    ) -> tuple[Document, SessionDocument]:
        """Store new messages in a new memory; return it, and the session afterwards."""
        database = self._database
        session, branches = await place_fresh(database, self._scope, session, fresh, fields=self._fields, tx=tx)
        if self._new.keeps_pairs:
            first_seq = session["lastSeq"] - len(fresh) + 1
            places = [Place(branch, seq) for seq, branch in enumerate(branches, first_seq)]
            await refuse_orphans(database, session, zip(fresh, places, strict=True), tx)
        memory = memory_document(self._new, fresh, session, at)
        await database.memories.insert_one(memory, session=tx)
        documents = message_documents(fresh, branches, memory, at)
        await database.messages.insert_many(documents, session=tx)
        if streams := stream_documents(fresh, documents):
            await database.streams.insert_many(streams, session=tx)
        return as_memory(memory), session

    async def _open_session(self, plan: Append, at: datetime, tx: Transaction) -> SessionDocument:
        """Reserve numbers for the new messages in the session, which is created if new; return it after the change."""
        new, uuid = self._new, new_uuid()
        tokens = tokens_added(plan.edits, plan.fresh) - sum(message["tokenCount"] for message in self._removed)
        session = await self._allot(at, count=len(plan.fresh), tokens=tokens, uuid=uuid, tx=tx)
        refuse_other_owner(session, new, self._scope)
        if session["uuid"] != uuid:
            new.expected.refuse_other(session["revision"] - 1, session["uuid"])
            return await self._change_session(session, session_changes(session, new, self._scope), at, tx)
        refuse_other_prefix(self._scope, new.session_id)
        new.expected.refuse_other(0, None)
        await erasure.refuse_while_under_way(self._database, erasure.session_job(new.session_id), tx)
        if (user_id := user_of(new, self._scope)) is not None:
            await users.give_session(self._database, user_id, new.session_id, at, tx)
        return session

    async def _allot(self, at: datetime, *, count: int, tokens: int, uuid: str, tx: Transaction) -> SessionDocument:
        """Count messages and tokens in the session; create a new one with this uuid."""
        new, sessions = self._new, self._database.sessions
        counts: Document = {
            "$inc": {
                "lastSeq": count,
                "messageCount": count - len(self._removed),
                "tokenCount": tokens,
                "revision": 1,
            },
            "$max": {"updatedAt": at},
        }
        fields = projection(self._fields)
        found = await sessions.find_one_and_update(
            {"_id": new.session_id}, counts, projection=fields, return_document=ReturnDocument.AFTER, session=tx
        )
        if found is not None:
            return found
        created = fields_of_new_session(new, uuid, user_of(new, self._scope), at)
        # An expired session is a duplicate key here, and the writer erases it.
        missing = {"_id": new.session_id, "uuid": {"$exists": False}}
        return await self._database.all_sessions.upsert_one(
            missing, {**counts, "$setOnInsert": created}, projection=fields, session=tx
        )

    async def _change_session(
        self, session: SessionDocument, changes: SessionChanges, at: datetime, tx: Transaction
    ) -> SessionDocument:
        """Change fields of the session; return it after the change."""
        if not changes:
            return session
        database, session_id = self._database, self._new.session_id
        if "userId" in changes:
            self.hands_over = await handover.give_to_user(database, session_id, changes["userId"], tx)
            await users.give_session(database, changes["userId"], session_id, at, tx)
        changed = await database.sessions.find_one_and_update(
            {"_id": session_id},
            {**update_of(changes), "$max": {"updatedAt": at}, "$inc": {"revision": 1}},
            projection=projection(self._fields),
            return_document=ReturnDocument.AFTER,
            session=tx,
        )
        return session if changed is None else changed
