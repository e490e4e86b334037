"""`recallql import`: stores the users and sessions of a file.

A session becomes visible as a whole, and stored sessions are not stored again. So an import that was stopped is resumed
by running it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, TypeVar

import orjson

from graph.enrichment.tokens import TokenCounter
from graph.errors import Conflict, TooCostly, TransferError, shown
from graph.store.database import Database
from graph.store.documents import EnrichmentState, MessageDocument, SessionDocument, UserDocument, now
from graph.store.item_documents import ItemDocument
from graph.store.jobs import summarising
from graph.store.transfer import documents as transfer
from graph.store.transfer.documents import Contents
from graph.store.transfer.items import find_stored, insert_items
from graph.store.transfer.staging import Staging, release
from graph.transfer.assembly import Assembly
from graph.transfer.portions import Batch, Items, Part, Portion, Users
from graph.transfer.source import Source

_WRITES_AT_ONCE = 2
_USER_FIELDS = ("email", "firstName", "lastName", "retentionDays", "metadata")
T = TypeVar("T", SessionDocument, MessageDocument, UserDocument, ItemDocument)
_TEXT_FIELDS = ("role", "content", "name", "toolCallId", "parts", "metadata")


@dataclass(slots=True)
class Imported:
    """The progress of an import.

    Attributes:
        present: sessions that were stored before, with the same contents or later ones.
        skipped: sessions and users that were stored with other contents, and were left unchanged.
        bytes_read: the number of bytes of the file read.
    """

    users: int = 0
    sessions: int = 0
    messages: int = 0
    items: int = 0
    present: int = 0
    skipped: int = 0
    bytes_read: int = 0


@dataclass(slots=True)
class Importer:
    """One import.

    Attributes:
        database: the target.
        tokens: counts the tokens of records without a `tokenCount`.
        skip_existing: skip sessions and users that are stored with other contents, instead of stopping.
        window: the message window: of sessions in which this number of messages waits only for a summary, one becomes
            due; None leaves that to the next message that is enriched.
        report: called after each step.
        done: the progress.
    """

    database: Database
    tokens: TokenCounter
    skip_existing: bool = False
    window: int | None = None
    report: Callable[[Imported], None] = lambda _: None
    done: Imported = field(default_factory=Imported)
    _at: datetime = field(default_factory=now)
    _large: _LargeSession | None = None

    async def run(self, source: IO[bytes]) -> Imported:
        """Import a file.

        Raises:
            TransferError: a line breaks the format, or other contents are stored under an id of the file. The portions
                before are imported, and nothing of the session with the error.
            Unavailable: the database does not answer; a second run resumes the import.
        """
        opened = Source(source)
        assembly = Assembly(opened, self.tokens, self._at)
        portions = assembly.portions()
        writes: set[asyncio.Task[None]] = set()
        try:
            while (portion := await asyncio.to_thread(_next, portions)) is not None:
                if not isinstance(portion, Batch):
                    await _finished(writes, 0)
                await _finished(writes, _WRITES_AT_ONCE - 1)
                if isinstance(portion, Batch):
                    writes.add(asyncio.create_task(self._batch(portion)))
                elif isinstance(portion, Users):
                    await self._users(portion.users)
                elif isinstance(portion, Items):
                    await self._items(portion.items)
                else:
                    await self._part(portion)
                self.done.bytes_read = opened.bytes_read
                self.report(self.done)
        except (Conflict, TooCostly) as error:
            raise TransferError(str(error)) from error
        finally:
            try:
                await _finished(writes, 0)
            except Conflict as error:
                raise TransferError(str(error)) from error
            finally:
                if self._large is not None and self._large.staging is not None:
                    await self._large.staging.abandon()
        await transfer.reserve_numbers(self.database, assembly.numbers)
        self.done.bytes_read = opened.bytes_read
        self.report(self.done)
        return self.done

    async def _users(self, users: Sequence[UserDocument]) -> None:
        stored = await transfer.find_users(self.database, [user["_id"] for user in users])
        new = {user["_id"]: user for user in users if user["_id"] not in stored}
        for user in users:
            if user["_id"] in stored and self._user_differs(stored[user["_id"]], user):
                self._refuse("user", user["_id"])
        if new:
            await transfer.insert_users(self.database, list(new.values()))
            self.done.users += len(new)

    def _user_differs(self, stored: UserDocument, imported: UserDocument) -> bool:
        if stored["uuid"] != imported["uuid"]:
            return True
        before: Mapping[str, object] = stored
        after: Mapping[str, object] = imported
        if not all(_same(before.get(name), after.get(name)) for name in _USER_FIELDS):
            return not self._changed_since(stored, imported)
        return False

    async def _items(self, items: Sequence[ItemDocument]) -> None:
        stored = await find_stored(self.database, items)
        new = []
        for item in items:
            before = stored.get((item["userId"], (item["path"], item["key"])))
            if before is None:
                new.append(item)
            elif before["_id"] != item["_id"] or not (
                _same(before["value"], item["value"]) or self._changed_since(before, item)
            ):
                self._refuse("item", item["key"])
        if new:
            await insert_items(self.database, new)
            self.done.items += len(new)

    async def _batch(self, batch: Batch) -> None:
        sessions = batch.sessions
        stored = await transfer.find_sessions(self.database, [owner["_id"] for owner, _ in sessions])
        new = [(owner, contents) for owner, contents in sessions if owner["_id"] not in stored]
        old = [(owner, contents) for owner, contents in sessions if owner["_id"] in stored]
        if old:
            seqs = [message["seq"] for _, contents in old for message in contents.messages]
            bounds = (min(seqs, default=0), max(seqs, default=0))
            texts = await transfer.find_texts(self.database, stored, bounds)
            for owner, contents in old:
                found = stored[owner["_id"]]
                differs = any(self._text_differs(texts, message) for message in contents.messages)
                self._meets(owner, differs or self._session_differs(found, owner))
        if new:
            counts = [batch.count[owner["_id"]] for owner, _ in new if owner["_id"] in batch.count]
            await asyncio.to_thread(_call, counts)
            await transfer.insert_sessions(self.database, new)
            self.done.sessions += len(new)
            self.done.messages += sum(len(contents.messages) for _, contents in new)
        await self._summarise([owner["_id"] for owner, contents in sessions if not _any_pending(contents)])

    async def _summarise(self, session_ids: Collection[str]) -> None:
        if self.window is not None and session_ids:
            await summarising.mark_due(self.database, self.window, session_ids)

    async def _part(self, part: Part) -> None:
        if self._large is None:
            stored = await transfer.find_sessions(self.database, [part.session_id])
            self._large = _LargeSession(stored.get(part.session_id))
            if self._large.stored is None:
                self._large.staging = Staging(self.database, part.session_id)
                await self._large.staging.begin()
        large = self._large
        messages = part.contents.messages
        large.pending |= _any_pending(part.contents)
        if large.staging is not None:
            await large.staging.add(part.contents)
            large.messages += len(messages)
            if part.owner is not None:
                await large.staging.finish(part.owner)
                self.done.sessions += 1
                self.done.messages += large.messages
        elif large.stored is not None:
            if messages:
                bounds = (messages[0]["seq"], messages[-1]["seq"])
                texts = await transfer.find_texts(self.database, [part.session_id], bounds)
                large.differs |= any(self._text_differs(texts, message) for message in messages)
            if part.owner is not None:
                self._meets(part.owner, large.differs or self._session_differs(large.stored, part.owner))
                await release(self.database, part.session_id)
        if part.owner is not None:
            if not large.pending:
                await self._summarise([part.session_id])
            self._large = None

    def _meets(self, owner: SessionDocument, differs: bool) -> None:
        if differs:
            self._refuse("session", owner["_id"])
        else:
            self.done.present += 1

    def _refuse(self, kind: str, name: str) -> None:
        if not self.skip_existing:
            raise TransferError(
                f"{kind} {shown(name)} is stored with other contents: delete it, or keep it with --skip-existing"
            )
        self.done.skipped += 1

    def _changed_since(self, stored: T, imported: T) -> bool:
        """Whether the stored document was changed after the given one was exported."""
        # A record without a time has the time of its import, which is earlier.
        has_time = imported["updatedAt"] != self._at
        changed: bool = stored["updatedAt"] > (imported["updatedAt"] if has_time else stored["createdAt"])
        return changed

    def _session_differs(self, stored: SessionDocument, imported: SessionDocument) -> bool:
        """Whether a stored session differs from the given one, and is not a later state of it."""
        if stored["uuid"] != imported["uuid"] or stored["lastSeq"] < imported["lastSeq"]:
            return True
        if imported["updatedAt"] != self._at and stored["updatedAt"] < imported["updatedAt"]:
            return True
        same = stored["messageCount"] == imported["messageCount"] and _same(stored["metadata"], imported["metadata"])
        same &= stored.get("title") == imported.get("title")
        return not same and not self._changed_since(stored, imported)

    def _text_differs(self, texts: dict[tuple[str, int], MessageDocument], imported: MessageDocument) -> bool:
        stored = texts.get((imported["sessionId"], imported["seq"]))
        if stored is None:
            return False  # deleted since the export; otherwise the session's count would differ
        if stored["_id"] != imported["_id"]:
            return True
        before: Mapping[str, object] = stored
        after: Mapping[str, object] = imported
        same = all(_same(before.get(name), after.get(name)) for name in _TEXT_FIELDS)
        return not same and not self._changed_since(stored, imported)


@dataclass(slots=True)
class _LargeSession:
    """A session in parts: they are stored, or compared with the stored session."""

    stored: SessionDocument | None
    staging: Staging | None = None
    messages: int = 0
    differs: bool = False
    pending: bool = False


def _same(stored: object, imported: object) -> bool:
    """Whether a stored value equals the given one, or its export does: JSON writes NaN and infinity as null."""
    return stored == imported or orjson.loads(orjson.dumps(stored)) == imported


def _any_pending(contents: Contents) -> bool:
    return any(message["enrichment"]["state"] == EnrichmentState.PENDING for message in contents.messages)


def _call(counts: Sequence[Callable[[], None]]) -> None:
    for count in counts:
        count()


def _next(portions: Iterator[Portion]) -> Portion | None:
    return next(portions, None)


async def _finished(writes: set[asyncio.Task[None]], most: int) -> None:
    """Wait until at most `most` writes are running; raise the error of one after the others have ended."""
    while len(writes) > most:
        ended, _ = await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
        writes -= ended
        failed = [task for task in ended if task.exception() is not None]
        if failed:
            await asyncio.gather(*writes, return_exceptions=True)
            writes.clear()
            await failed[0]
