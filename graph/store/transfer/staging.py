"""The storage of a session that is too large for one transaction.

Its contents are stored in batches under a job of `erasures`. The session's document is stored last, in the transaction
that removes the job. Contents are reached through the document, so they are invisible before. If the import dies, the
job erases the stored part: a writer of the session, the next run of the import, or a server runs the job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from graph.errors import Conflict, shown
from graph.store.database import Database
from graph.store.documents import (
    Document,
    EnrichmentState,
    EntityDocument,
    MentioningMessage,
    MessageDocument,
    SessionDocument,
    mention_count,
    new_uuid,
    now,
)
from graph.store.driver.types import Transaction
from graph.store.entities import mentions
from graph.store.jobs import erasure, expiry, handover
from graph.store.jobs.documents import ErasureDocument
from graph.store.jobs.enrichment import HELD_BACK
from graph.store.jobs.lease import Lease
from graph.store.titles import with_words
from graph.store.transfer.documents import Contents, insert_contents, numbered, touch_users, write_unique
from graph.store.writes import write

_JOBS = Lease()

STAGING_LEASE = timedelta(minutes=10)
"""Time for which a part stays after the death of its import."""

ENTITIES_AT_ONCE = 1_000
"""Maximum entities that one transaction stores."""

_PENDING = EnrichmentState.PENDING.value


class Staging:
    """A session whose contents are being stored."""

    def __init__(self, database: Database, session_id: str, *, is_fork: bool = False) -> None:
        self._is_fork = is_fork
        self._database = database
        self._session_id = session_id
        self._job: Document = {"_id": erasure.session_job(session_id), "importing": new_uuid()}
        self._mentions: dict[str, _Mentions] = {}

    async def begin(self, also: Callable[[Transaction], Awaitable[None]] | None = None) -> None:
        """Reserve the session's id; erase the part that an earlier import left.

        Args:
            also: further work of the same transaction.

        Raises:
            Conflict: the session exists.
        """
        at = now()
        job: ErasureDocument = {
            "_id": self._job["_id"],
            "importing": self._job["importing"],
            "uuid": new_uuid(),
            "sessionId": self._session_id,
            "lastSeq": 2**53,
            "entities": True,
            "gone": True,
            "dueAt": at + STAGING_LEASE,
        }
        if self._is_fork:
            job["forking"] = True

        async def attempt(tx: Transaction) -> None:
            if await self._exists(tx):
                raise self._taken()
            await expiry.refuse_expired(self._database, [self._session_id], tx)
            await erasure.refuse_while_under_way(self._database, job["_id"], tx)
            await self._database.erasures.insert_one(job, session=tx)
            if also is not None:
                await also(tx)

        await write(self._database, attempt)

    async def add(self, contents: Contents) -> None:
        """Store some of the contents, invisibly.

        Raises:
            Conflict: a session of the id was made meanwhile, or a uuid is in use.
        """
        due = now() + HELD_BACK
        staged = Contents(
            contents.memories,
            [_held_back(message, due) for message in contents.messages],
            contents.summaries,
            contents.recall,
        )

        async def attempt(tx: Transaction) -> None:
            await self._hold(tx)
            await insert_contents(self._database, staged, tx)

        await write_unique(self._database, attempt, contents.messages)
        for message in contents.messages:
            for entity in message["entities"]:
                self._mentions.setdefault(entity["key"], _Mentions()).add(message, entity)

    async def finish(
        self, owner: SessionDocument, also: Callable[[Transaction], Awaitable[None]] | None = None
    ) -> None:
        """Store the session's document, which makes the session visible.

        Args:
            owner: the document.
            also: further work of the same transaction.

        Raises:
            Conflict: a session of the id was made meanwhile.
        """
        await self._add_entities()
        user_id = owner.get("userId")

        async def attempt(tx: Transaction) -> None:
            if not (await self._database.erasures.delete_one(self._job, session=tx)).deleted_count:
                raise await self._lost(tx)
            await self._database.sessions.insert_many(
                await numbered(self._database, "sessions", [with_words(owner)], tx), session=tx
            )
            await touch_users(self._database, [owner], tx)
            if user_id is not None:
                await handover.give_to_user(self._database, self._session_id, user_id, tx)
            if also is not None:
                await also(tx)

        await write(self._database, attempt)
        await release(self._database, self._session_id)
        await handover.finish(self._database, self._session_id)

    async def _add_entities(self) -> None:
        """Store the entities of the contents, invisibly."""
        writes = await asyncio.to_thread(self._writes_of_entities)  # of many names, it would hold the event loop
        for first in range(0, len(writes), ENTITIES_AT_ONCE):
            await self._write_entities(writes[first : first + ENTITIES_AT_ONCE])

    def _writes_of_entities(self) -> list[Any]:
        messages = [message for entity in self._mentions.values() for message in entity.messages()]
        return mentions.of_new_session(self._session_id, messages)

    async def _write_entities(self, writes: Sequence[Any]) -> None:
        async def attempt(tx: Transaction) -> None:
            await self._hold(tx)
            await self._database.entities.bulk_write(writes, ordered=False, session=tx)

        await write(self._database, attempt)

    async def _hold(self, tx: Transaction) -> None:
        """Within a transaction, check that this import still holds the session, and extend its lease.

        Raises:
            Conflict: a session of the id was made meanwhile.
        """
        seconds = STAGING_LEASE.total_seconds()
        if not await _JOBS.renew(self._database.erasures, self._job, seconds=seconds, tx=tx):
            raise await self._lost(tx)

    async def abandon(self) -> None:
        """Erase the stored part of the session."""
        await erasure.finish(self._database, self._job["_id"])

    async def _exists(self, tx: Transaction) -> bool:
        return await self._database.sessions.find_one({"_id": self._session_id}, {"_id": 1}, session=tx) is not None

    async def _lost(self, tx: Transaction) -> Conflict:
        """Return why the stored part is no longer held."""
        if self._is_fork and not await self._exists(tx):
            return Conflict("the copied messages were erased before the last was copied: send forkSession again")
        return self._taken()

    def _taken(self) -> Conflict:
        advice = "choose another newSessionId" if self._is_fork else "delete the session, and import again"
        return Conflict(f"session {shown(self._session_id)} was created meanwhile: {advice}")


async def release(database: Database, session_id: str) -> None:
    """Make the messages of a staged session due for enrichment."""
    await database.messages.update_many(
        {"sessionId": session_id, "enrichment.state": _PENDING, "enrichment.importedDueAt": {"$exists": True}},
        [
            {"$set": {"enrichment.dueAt": "$enrichment.importedDueAt"}},
            {"$unset": "enrichment.importedDueAt"},
        ],
    )


def _held_back(message: MessageDocument, until: datetime) -> MessageDocument:
    """Return a message for staging, not due: a worker would store its entities before the session exists."""
    enrichment = message["enrichment"]
    if enrichment["state"] != _PENDING:
        return message
    return {**message, "enrichment": {**enrichment, "dueAt": until, "importedDueAt": enrichment["dueAt"]}}


@dataclass(slots=True)
class _Mentions:
    """The mentions of one entity in a session: the first and the last place, and the count."""

    places: list[MentioningMessage] = field(default_factory=list)  # the first and the last message
    count: int = 0

    def add(self, message: MessageDocument, entity: EntityDocument) -> None:
        place: MentioningMessage = {
            "_id": message["_id"],
            "sessionId": message["sessionId"],
            "seq": message["seq"],
            "createdAt": message["createdAt"],
            "entities": [{**entity, "matches": [], "inTools": 1}],
        }
        self.places[1:] = [place]
        self.count += mention_count(entity)

    def messages(self) -> list[MentioningMessage]:
        """Return at most two messages with the same counts as all messages together."""
        # Only their counts matter here, not where the mentions are.
        self.places[0]["entities"][0]["inTools"] = self.count - len(self.places[1:])
        return self.places
