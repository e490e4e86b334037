"""A cache of the messages that searches compare, by scope, updated by the changes since the last search.

The cache holds messages within the caller's scope, of the sessions that the scope has at each search. A scope is
dropped a minute after its last search, so that erased messages do not stay in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cachetools import TTLCache

from graph.enrichment.models import use_one_thread
from graph.enrichment.parts import searched_text
from graph.errors import TooCostly, Unavailable
from graph.operations.concurrency import run_on_thread
from graph.operations.search_scope import CachedScope, CachedSession, size_of
from graph.store.database import Database
from graph.store.documents import MessageDocument, RecallDocument, SessionDocument, now
from graph.store.recall import (
    changed_messages,
    later_messages,
    messages_of,
    messages_with,
    recall_documents,
    sessions_with,
    vectors_of,
    version_of,
)
from graph.store.visible import Visible

if TYPE_CHECKING:
    from graph.recall.columns import Columns
    from graph.recall.entries import Entry

SECONDS = 60.0
"""Seconds for which a scope is cached after its last search."""
MAX_READ = 33_554_432
"""Maximum characters of contents that one search reads."""
_LOOK_SECONDS = 2.0
"""Between checks for erased messages."""
_OVERLAP = timedelta(seconds=60)
"""Overlap of the times in which changes are read: clocks differ, and transactions take time."""
_OVERLAP_OF_VECTORS = timedelta(seconds=10)  # these times are of MongoDB's clock

Key = tuple[str | None, str | None]
"""The user and the session of a scope."""


class SearchCache:
    """The cached scopes of a process.

    Args:
        database: the open database.
        seconds: the time for which a scope is cached after its last search.
        tools: whether the arguments and results of tools are searched, too.
        most_bytes: maximum bytes of the cache; a larger scope is read at each search.
    """

    def __init__(self, database: Database, *, seconds: float = SECONDS, tools: bool = False, most_bytes: int) -> None:
        self._database = database
        self._tools = tools
        self._most_bytes = most_bytes
        self._scopes: TTLCache[Key, CachedScope] = TTLCache(most_bytes, seconds, time.monotonic, _size_of)
        self._locks: weakref.WeakValueDictionary[Key, asyncio.Lock] = weakref.WeakValueDictionary()
        self._expiring: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._scopes)

    def __contains__(self, key: Key) -> bool:
        return key in self._scopes

    async def columns(self, key: Key, sessions: Sequence[SessionDocument], model: str | None) -> Columns:
        """Return the current messages of a scope.

        Args:
            key: the scope.
            sessions: all current sessions of the scope, from `searched_sessions`.
            model: the name of the model whose vectors are compared, or None.

        Raises:
            TooCostly: the contents are too large.
        """
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            scope = self._scopes.pop(key, None)
            if scope is None or scope.model != model:
                scope = CachedScope(model, now())
            await _Refresh(self._database, scope, sessions, tools=self._tools).run()
            columns = await run_on_thread(scope.bring_up_to_date)
            self._keep(key, scope)
            return columns

    def _keep(self, key: Key, scope: CachedScope) -> None:
        if _size_of(scope) <= self._most_bytes:
            self._scopes[key] = scope
        if self._expiring is None or self._expiring.done():
            self._expiring = self._database.run(self._expire())

    async def _expire(self) -> None:
        while self._scopes:
            await asyncio.sleep(_LOOK_SECONDS)
            expired = self._scopes.expire()
            # To free a large scope takes longer than the loop may be held.
            await run_on_thread(expired.clear)
            with contextlib.suppress(Unavailable):
                await self._forget_erased()

    async def _forget_erased(self) -> None:
        """Forget the sessions with erased or deleted messages: the next search reads the remaining messages again."""
        for key, scope in [(key, scope) for key in list(self._scopes) if (scope := self._scopes.get(key)) is not None]:
            stored = await sessions_with(self._database, list(scope.sessions))
            if self._scopes.get(key) is not scope:
                continue  # a search has taken it, and finds the same
            erased = [name for name, session in scope.sessions.items() if session.has_lost(stored.get(name))]
            for name in erased:
                scope.lose(name)


class _Refresh:
    """Updates the cached messages of a scope."""

    def __init__(
        self, database: Database, scope: CachedScope, sessions: Sequence[SessionDocument], *, tools: bool
    ) -> None:
        self._database = database
        self._scope = scope
        self._tools = tools
        self._sessions = {session["_id"]: session for session in sessions}
        self._sizes: dict[str, int] = {}
        self._read = 0
        self._began = time.monotonic()

    async def run(self) -> None:
        """Read the sessions and messages that changed."""
        began, since = now(), self._scope.vectors_since  # reading vectors changes `vectors_since`
        if since is not None:
            # MongoDB's clock went on: without this, the newest vectors would be read again by each search.
            self._scope.vectors_since = since + timedelta(seconds=self._began - self._scope.began)
        self._scope.began = self._began
        fresh, grown = self._take_sessions()
        names = {part.session_id for part in fresh}
        others = [session_id for session_id in self._sessions if session_id not in names]
        await self._take(messages_of(self._database, fresh, contents=False))
        await self._take(later_messages(self._database, grown))
        await self._take_changes(others)
        await self._reread_with_lost_messages(others)
        await self._put_vectors(others, since)
        self._scope.since = began - _OVERLAP

    def _take_sessions(self) -> tuple[list[Visible], list[Visible]]:
        """Return the sessions to read whole, and the ends of sessions to read."""
        cached = self._scope.sessions
        for gone in cached.keys() - self._sessions.keys():
            self._scope.lose(gone)
        fresh: list[Visible] = []
        grown: list[Visible] = []
        for session_id, session in self._sessions.items():
            part, shown, there = Visible.of(session), Visible.of_head(session), cached.get(session_id)
            if there is not None and there.is_another(session):
                self._scope.lose(session_id)
                there = None
            if there is None:
                cached[session_id] = CachedSession(part, shown, session["lastSeq"], session["uuid"])
                fresh.append(part)
                continue
            if there.shown != shown:
                there.shown = shown
                self._scope.columns = None
            if session["lastSeq"] > there.last_seq:
                grown.append(part.beyond(there.last_seq))
                self._sizes[session_id] = len(there.entries) + session["lastSeq"] - there.last_seq
                there.last_seq = session["lastSeq"]
        return fresh, grown

    async def _take(self, batches: AsyncIterator[list[MessageDocument]]) -> None:
        async for messages in batches:
            documents = await recall_documents(self._database, messages, of_tools=self._tools)
            await self._put_all([one for one in messages if "terms" in documents.get(one["_id"], ())], documents)
            others = {one["_id"]: one for one in messages if "terms" not in documents.get(one["_id"], ())}
            async for read in messages_with(self._database, list(others), contents=True, parts=self._tools):
                self._count(await run_on_thread(_characters, read))
                # A document that was read before an edit has the vector of the former content.
                same = [one["_id"] for one in read if _is_same(one, others[one["_id"]])]
                await self._put_all(read, {uuid: documents[uuid] for uuid in same if uuid in documents})

    def _count(self, characters: int) -> None:
        self._read += characters
        if self._read > MAX_READ:
            raise TooCostly(
                f"the search would read more than {MAX_READ:,} characters of messages that no worker has read, the"
                " maximum: search one session with sessionId, or try again when workers have read them"
            )

    async def _put_all(self, messages: Sequence[MessageDocument], documents: Mapping[str, RecallDocument]) -> None:
        entries = await run_on_thread(_entries_of, messages, documents, self._scope.model)
        for message, entry in zip(messages, entries, strict=True):
            self._put(message, entry)
            if entry.vector:
                self._note_vector(documents[message["_id"]])

    def _put(self, message: MessageDocument, entry: Entry) -> None:
        session = self._scope.sessions.get(entry.session_id)
        # Messages added after the read of the sessions wait for the next search, so that the counts stay comparable.
        if session is None or not session.part.sees(entry.seq) or entry.seq > session.last_seq:
            return
        version, former = version_of(message), session.versions.get(entry.message_id)
        if former is not None and former[0] == version[0] and not entry.vector:  # not edited: it still has its vector
            old = session.entries[entry.message_id]
            entry = replace(entry, vector=old.vector, scale=old.scale)
        session.versions[entry.message_id] = version
        if branch := message.get("branch", 0):
            session.branches[entry.message_id] = branch
        self._scope.put(entry)

    async def _take_changes(self, session_ids: Sequence[str]) -> None:
        found = await changed_messages(self._database, session_ids, self._scope.since) if session_ids else ()
        changed = {message["_id"] for message in found if self._has_changed(message)}
        if changed:
            await self._take(messages_with(self._database, list(changed), contents=False))

    def _has_changed(self, message: MessageDocument) -> bool:
        versions = self._scope.sessions[message["sessionId"]].versions
        return message["_id"] in versions and versions[message["_id"]] != version_of(message)

    async def _reread_with_lost_messages(self, session_ids: Sequence[str]) -> None:
        cached = self._scope.sessions
        lost = [name for name in session_ids if self._has_lost(name)]
        for name in lost:
            former = cached[name]
            self._scope.lose(name)
            cached[name] = CachedSession(former.part, former.shown, former.last_seq, former.uuid)
        await self._take(messages_of(self._database, [cached[name].part for name in lost], contents=False))

    def _has_lost(self, name: str) -> bool:
        """Return whether messages of a session were deleted.

        A message that was deleted after the session was read, and before its end was, is missing among the entries as
        the message of an earlier deletion is in the count: the count alone would not show the earlier deletion.
        """
        session = self._scope.sessions[name]
        return session.has_lost(self._sessions[name]) or len(session.entries) < self._sizes.get(name, 0)

    async def _put_vectors(self, session_ids: Sequence[str], since: datetime | None) -> None:
        if self._scope.model is None:
            return
        async for documents in vectors_of(self._database, session_ids, self._scope.model, since):
            for document in documents:
                self._put_vector(document)

    def _put_vector(self, document: RecallDocument) -> None:
        session = self._scope.sessions[document["sessionId"]]
        entry = session.entries.get(document["_id"])
        if entry is None or entry.seq != document["seq"]:
            return
        self._note_vector(document)
        vector = document.get("vector", b"")
        if vector != entry.vector:
            self._scope.put(replace(entry, vector=vector, scale=document.get("scale", 0.0)))

    def _note_vector(self, document: RecallDocument) -> None:
        """Look for vectors that were stored later from now on: later than this reading of the scope began."""
        latest = document["at"] - _OVERLAP_OF_VECTORS - timedelta(seconds=time.monotonic() - self._began)
        self._scope.vectors_since = max(latest, self._scope.vectors_since or latest)


def _characters(messages: Iterable[MessageDocument]) -> int:
    return sum(len(searched_text(message["content"], message.get("parts", ()))) for message in messages)


def _is_same(message: MessageDocument, earlier: MessageDocument) -> bool:
    """Return whether two reads of a uuid found one message, which was not edited between them."""
    return message["memoryId"] == earlier["memoryId"] and version_of(message)[0] == version_of(earlier)[0]


def _size_of(scope: CachedScope) -> int:
    return 0 if scope.columns is None else size_of(scope.columns)


def _entries_of(
    messages: Iterable[MessageDocument], documents: Mapping[str, RecallDocument], model: str | None
) -> list[Entry]:
    """Return the entries of messages; run it on a thread, since the first call imports the libraries of the search."""
    use_one_thread()
    return [_entry_of(message, documents.get(message["_id"]), model) for message in messages]


def _entry_of(message: MessageDocument, document: RecallDocument | None, model: str | None) -> Entry:
    from graph.recall.entries import Words, entry_of, words_of  # noqa: PLC0415 - not loaded without a search

    if document is not None and "terms" in document:
        words = Words(document["language"], document["terms"], document["question"])
    else:
        words = words_of(searched_text(message["content"], message.get("parts", ())))
    is_embedded = document is not None and document.get("model") == model and "vector" in document
    return entry_of(
        message["_id"],
        message["sessionId"],
        message["seq"],
        role=message["role"],
        name=message.get("name"),
        words=words,
        at=message["createdAt"],
        labels=[entity["label"] for entity in message["entities"]],
        embedded=(document["vector"], document["scale"]) if document is not None and is_embedded else (b"", 0.0),
    )
