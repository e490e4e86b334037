"""The sources that subscribers follow, and how each is read where the live events don't reach back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum, auto
from functools import partial
from typing import Any, ClassVar, TypeAlias

from graph.errors import BadUserInput
from graph.live.memory import Memory
from graph.store.database import Database
from graph.store.documents import AnyDocument, Document, SessionDocument, now
from graph.store.feed import following
from graph.store.feed.changes import Moment
from graph.store.scope import Scope
from graph.store.visible import Visible

Place: TypeAlias = Any
"""How far a follower has come: a `seq`, or a time; later ones are greater."""


_Read: TypeAlias = Callable[[following.Position | None], Awaitable[following.Page]]
_Listing: TypeAlias = tuple[_Read, Callable[[AnyDocument], Document]]
"""Reads the pages of a listing; makes the event of a document."""

_FIRST = datetime.min.replace(tzinfo=UTC)
_MOST_DIGITS = 18
"""Of a `seq` that MongoDB can compare as a number."""


def _no_mark(needed: str) -> BadUserInput:
    return BadUserInput(f"the Last-Event-ID must be {needed}, as the id of an event has it")


class UpdateKind(StrEnum):
    """The kinds of changes of a message."""

    EDITED = "EDITED"
    DELETED = "DELETED"
    ENRICHED = "ENRICHED"
    CLEARED = "CLEARED"


class SessionUpdateKind(StrEnum):
    """The kinds of changes of a session."""

    CREATED = "CREATED"
    CHANGED = "CHANGED"
    DELETED = "DELETED"


class Feed(Enum):
    """The kinds of events."""

    ADDED = auto()
    UPDATED = auto()
    SESSIONS = auto()


Topic: TypeAlias = tuple[Feed, str | None]
"""A feed, and the session or user in it; None for all users."""


class Gone(Exception):
    """The followed object was deleted: the subscription completes."""


@dataclass(slots=True, kw_only=True)
class Source(ABC):
    """The source of one follower.

    Attributes:
        database: the open database.
        scope: the sessions and users that the follower may see.
        place: how far it has come.
        resumes: whether the place is that of a client that was there before.
        known: whether the followed session has been found to be visible. One that does not exist yet may be made as
            another's.
    """

    starts_with_stored: ClassVar[bool]

    database: Database
    scope: Scope
    place: Place
    known: bool = True
    resumes: bool = False

    @property
    def reads_store_first(self) -> bool:
        """Whether stored events come before live ones."""
        return self.starts_with_stored or self.resumes

    @property
    @abstractmethod
    def mark(self) -> str:
        """The place as text, for a client that is to resume after it."""

    def resume(self, mark: str) -> None:
        """Begin after a place that `mark` gave.

        Raises:
            BadUserInput: it is not a place of this source.
        """
        self.place = self._place_of(mark)
        self.resumes = True

    @abstractmethod
    def _place_of(self, mark: str) -> Place:
        """The place that a mark stands for."""

    @property
    @abstractmethod
    def topic(self) -> Topic:
        """The topic under which the hub publishes its events."""

    @abstractmethod
    def stored(self, memory: Memory, after: Moment | None) -> AsyncGenerator[Document, None]:
        """The stored events after the place, which it moves on, as a read causally after a moment finds them.

        Nothing refers to an event that was given, and later events that were read can go when memory is short.
        """

    def is_next(self, place: Place) -> bool | None:
        """Whether the live event at a place comes next: False when it is behind, None when something lies between."""
        del place
        return True

    async def check(self, after: Moment | None) -> None:
        """Look whether the session is `known` by now: it is not while it belongs to another user."""
        del after

    async def check_life(self, after: Moment | None) -> None:
        """Raise `Gone` if a published deletion is one of the followed object, not of an earlier one with its id."""
        del after


@dataclass(slots=True, kw_only=True)
class _InSession(Source):
    """Something of one session.

    Attributes:
        session_id: the caller's id.
        session_uuid: differs from that of a later session with the same id; None while unknown.
    """

    session_id: str
    session_uuid: str | None

    async def session(self, after: Moment | None) -> SessionDocument | None:
        """The session, or None while it does not exist yet, for this follower: another's is as if it did not.

        Raises:
            Gone: it was deleted.
        """
        session = await following.session_state(self.database, self.session_id, after)
        if self.session_uuid is not None and (session is None or session["uuid"] != self.session_uuid):
            raise Gone
        if session is not None and not self.scope.sees_session(session):
            return None
        if session is not None:
            self.known = True
            self.session_uuid = session["uuid"]
        return session

    async def check(self, after: Moment | None) -> None:
        """Look at the session."""
        await self.session(after)

    async def check_life(self, after: Moment | None) -> None:
        """Look at the session."""
        if self.session_uuid is not None:
            await self.session(after)


@dataclass(slots=True, kw_only=True)
class MessagesAdded(_InSession):
    """The messages of a session, by `seq`; an event is a message."""

    starts_with_stored = True

    @property
    def topic(self) -> Topic:
        """The session's new messages."""
        return Feed.ADDED, self.session_id

    @property
    def mark(self) -> str:
        """The number of a message."""
        return str(self.place)

    def _place_of(self, mark: str) -> Place:
        if not mark.isascii() or not mark.isdigit() or len(mark) > _MOST_DIGITS:
            raise _no_mark("the seq of a message")
        return int(mark)

    async def stored(self, memory: Memory, after: Moment | None) -> AsyncGenerator[Document, None]:
        """The messages after the place, page by page."""
        session = await self.session(after)
        if session is None:
            return
        visible = Visible.of(session).beyond(self.place)
        self.place = visible.after_seq
        last = session["lastSeq"]
        if self.place >= last:
            return

        async def read(place: Any) -> following.Page:
            seq = self.place if place is None else place[0]
            return await following.messages_after(self.database, visible.beyond(seq), until=last, after=after)

        async with aclosing(_paged(memory, read)) as messages:
            async for message in messages:
                self.place = message["seq"]
                given = [message]
                del message
                yield given.pop()
        # Numbers up to here that were not found are those of deleted messages.
        self.place = max(self.place, last)

    def is_next(self, place: Place) -> bool | None:
        """By number: they have no gaps but those of deleted messages."""
        if place <= self.place:
            return False
        return True if place == self.place + 1 else None

    async def check_life(self, after: Moment | None) -> None:
        """A session that was followed from its first message on, and was never looked at, is gone."""
        if self.session_uuid is None and self.place > 0:
            raise Gone
        await _InSession.check_life(self, after)


@dataclass(slots=True, kw_only=True)
class _ByTime(Source):
    """Something whose places are times."""

    @property
    def mark(self) -> str:
        """The time."""
        return str(self.place.isoformat())

    def _place_of(self, mark: str) -> Place:
        try:
            place = datetime.fromisoformat(mark)
        except ValueError:
            raise _no_mark("a time") from None
        if place.tzinfo is None:
            raise _no_mark("a time with its offset")
        return place

    @property
    def since(self) -> datetime:
        """The earliest time of a change that may not have been published.

        A change has the time at which its transaction began, and is published once that is committed.
        """
        most = timedelta(seconds=self.database.write_deadline)
        place: datetime = self.place
        return max(place, _FIRST + most) - most

    @abstractmethod
    async def _listings(self, after: Moment | None) -> list[_Listing]:
        """The listings of stored changes, each with the event of its documents; empty while there is no session.

        Deletions come first: the id of a deleted object may be the id of a later one.
        """

    async def stored(self, memory: Memory, after: Moment | None) -> AsyncGenerator[Document, None]:
        """The changes since the place."""
        until = now()
        listings = await self._listings(after)
        for read, event_of in listings:
            async with aclosing(_paged(memory, read)) as documents:
                async for document in documents:
                    given = [event_of(document)]
                    del document
                    yield given.pop()
        if listings:
            self.place = until  # only after the last one: an interrupted reader starts again


@dataclass(slots=True, kw_only=True)
class MessagesUpdated(_ByTime, _InSession):
    """Changed messages of a session, by time; an event has `kind`, `uuid`, `seq` and `message`."""

    starts_with_stored = False  # from now on: there is nothing to catch up with

    @property
    def topic(self) -> Topic:
        """The session's changed messages."""
        return Feed.UPDATED, self.session_id

    async def _listings(self, after: Moment | None) -> list[_Listing]:
        session = await self.session(after)
        if session is None:
            return []
        since, visible = self.since, Visible.of(session)
        return [
            (
                partial(following.messages_deleted_since, self.database, self.session_id, since, after=after),
                deletion_of,
            ),
            (
                partial(following.messages_edited_since, self.database, visible, since, after=after),
                partial(update_of, UpdateKind.EDITED),
            ),
            (
                partial(following.messages_enriched_since, self.database, visible, since, after=after),
                partial(update_of, UpdateKind.ENRICHED),
            ),
        ]


@dataclass(slots=True, kw_only=True)
class SessionsUpdated(_ByTime):
    """New, changed and deleted sessions of a user, or of all, by time.

    An event has `kind`, `sessionId` and `session`.
    """

    starts_with_stored = False

    user_id: str | None

    @property
    def topic(self) -> Topic:
        """The sessions of one user, or all."""
        return Feed.SESSIONS, self.user_id

    async def _listings(self, after: Moment | None) -> list[_Listing]:
        bounds = (self.database, self.scope, self.user_id, self.since)
        return [
            (partial(following.sessions_deleted_since, *bounds, after=after), _session_deletion_of),
            (partial(following.sessions_changed_since, *bounds, after=after), self._change_of),
        ]

    def _change_of(self, session: AnyDocument) -> Document:
        is_new = session["createdAt"] >= self.place
        kind = SessionUpdateKind.CREATED if is_new else SessionUpdateKind.CHANGED
        return session_update_of(kind, session["_id"], session)


async def _paged(memory: Memory, read: _Read) -> AsyncGenerator[Document, None]:
    """All documents of a listing, page by page. A page that went because memory was short is read again.

    Args:
        memory: where pages are kept while their documents are sent.
        read: reads the page that begins after a position, or the first one.
    """
    key = object()
    position: following.Position | None = None
    more = True
    try:
        while more:
            page = await read(position)
            end, left = page.end, len(page.items)
            memory.keep(key, deque(page.items), page.size)
            del page
            while left and (item := memory.take(key)) is not None:
                left -= 1
                position = item.position
                given = [item.document]
                del item
                yield given.pop()
            if not left:
                position, more = end, end is not None
    finally:
        memory.drop(key)


def update_of(kind: UpdateKind, message: AnyDocument) -> Document:
    """The event of a message that was edited or enriched."""
    return {"kind": kind, "uuid": message["_id"], "seq": message["seq"], "message": message}


def deletion_of(tombstone: AnyDocument) -> Document:
    """The event of a message that was deleted, or of all messages of a session up to a number."""
    kind = UpdateKind.DELETED if "uuid" in tombstone else UpdateKind.CLEARED
    return {"kind": kind, "uuid": tombstone.get("uuid"), "seq": tombstone["seq"], "message": None}


def _session_deletion_of(tombstone: AnyDocument) -> Document:
    return session_update_of(SessionUpdateKind.DELETED, tombstone["sessionId"])


def session_update_of(kind: SessionUpdateKind, session_id: str, session: AnyDocument | None = None) -> Document:
    """The event of a session; None of one that was deleted."""
    return {"kind": kind, "sessionId": session_id, "session": session}
