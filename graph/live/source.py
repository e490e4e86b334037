"""What can be followed, and how each kind of it is read where the live events don't reach back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum, auto
from typing import Any, ClassVar, TypeAlias

from graph.store.database import Database
from graph.store.documents import Document, now
from graph.store.feed import following
from graph.store.feed.changes import Moment
from graph.store.scope import Scope

PAGE = 100
"""Documents that a follower reads from the store at once."""

_NEVER = datetime.min.replace(tzinfo=UTC)

Place: TypeAlias = Any
"""How far a follower has come: a `seq`, or a time; later ones are greater."""


class UpdateKind(StrEnum):
    """What happened to a message."""

    EDITED = "EDITED"
    DELETED = "DELETED"
    ENRICHED = "ENRICHED"
    CLEARED = "CLEARED"


class Feed(Enum):
    """The kinds of events."""

    ADDED = auto()
    UPDATED = auto()
    SESSIONS = auto()


Topic: TypeAlias = tuple[Feed, str | None]
"""A feed, and the session or user in it; None for all users."""


class Gone(Exception):
    """What is followed is no more: the subscription completes."""


@dataclass(slots=True, kw_only=True)
class Source(ABC):
    """What one follower follows.

    Attributes:
        database: the open database.
        scope: what the follower may see.
        place: how far it has come.
        known: whether what is followed has been found to be visible. What does not exist yet may come to life as
            another's.
    """

    reads_store_first: ClassVar[bool]

    database: Database
    scope: Scope
    place: Place
    known: bool = True

    @property
    @abstractmethod
    def topic(self) -> Topic:
        """What the hub publishes its events under."""

    @abstractmethod
    def stored(self, after: Moment | None) -> AsyncIterator[Document]:
        """The stored events after the place, which it moves on, as a read causally after a moment finds them."""

    def is_next(self, place: Place) -> bool | None:
        """Whether the live event at a place comes next: False when it is behind, None when something lies between."""
        del place
        return True

    async def check(self, after: Moment | None) -> None:
        """Find out about what was not `known`: it stays so while it is another's."""
        del after

    async def check_life(self, after: Moment | None) -> None:
        """Raise `Gone` if a deletion that is told was one of what is followed, and not of what was there before."""
        del after


@dataclass(slots=True, kw_only=True)
class _InSession(Source):
    """Something of one session.

    Attributes:
        session_id: the caller's id.
        session_uuid: tells the session from one that is made under its id after it was deleted; None while unknown.
    """

    session_id: str
    session_uuid: str | None

    async def session(self, after: Moment | None) -> Document | None:
        """The session, or None while it does not exist yet, for this follower: another's is as if it did not.

        Raises:
            Gone: it is no more.
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

    reads_store_first = True

    @property
    def topic(self) -> Topic:
        """The session's new messages."""
        return Feed.ADDED, self.session_id

    async def stored(self, after: Moment | None) -> AsyncIterator[Document]:
        """The messages after the place, page by page."""
        session = await self.session(after)
        if session is None:
            return
        # A session that was cleared may still be on its way out of the collection.
        self.place = max(self.place, session.get("erasedSeq", 0))
        while True:
            page = await following.messages_after(self.database, self.session_id, self.place, limit=PAGE, after=after)
            for message in page:
                self.place = message["seq"]
                yield message
            if len(page) < PAGE:
                break
        # Numbers up to here that were not found are those of deleted messages.
        self.place = max(self.place, session["lastSeq"])

    def is_next(self, place: Place) -> bool | None:
        """By number: they have no gaps but those of deleted messages."""
        if place <= self.place:
            return False
        return True if place == self.place + 1 else None

    async def check_life(self, after: Moment | None) -> None:
        """What was followed from its first message on, and was never looked at, is gone."""
        if self.session_uuid is None and self.place > 0:
            raise Gone
        await _InSession.check_life(self, after)


@dataclass(slots=True, kw_only=True)
class MessagesUpdated(_InSession):
    """Changed messages of a session, by time; an event has `kind`, `uuid`, `seq` and `message`."""

    reads_store_first = False  # from now on: there is nothing to catch up with

    @property
    def topic(self) -> Topic:
        """The session's changed messages."""
        return Feed.UPDATED, self.session_id

    async def stored(self, after: Moment | None) -> AsyncIterator[Document]:
        """What changed since the place. A deletion leaves nothing to be found."""
        since, self.place = self.place, now()
        session = await self.session(after)
        if session is None:
            return
        for message in await following.messages_changed_since(
            self.database, self.session_id, since, limit=10 * PAGE, after=after
        ):
            if message["seq"] <= session.get("erasedSeq", 0):
                continue
            if message["updatedAt"] > message["createdAt"] and message["updatedAt"] >= since:
                yield update_of(UpdateKind.EDITED, message)
            if message.get("enrichment", {}).get("at", _NEVER) >= since:
                yield update_of(UpdateKind.ENRICHED, message)


@dataclass(slots=True, kw_only=True)
class SessionsUpdated(Source):
    """New and changed sessions of a user, or of all, by time; an event is a session."""

    reads_store_first = False

    user_id: str | None

    @property
    def topic(self) -> Topic:
        """The sessions of one user, or all."""
        return Feed.SESSIONS, self.user_id

    async def stored(self, after: Moment | None) -> AsyncIterator[Document]:
        """The sessions that changed since the place."""
        since, self.place = self.place, now()
        for session in await following.sessions_changed_since(
            self.database, self.scope, self.user_id, since, limit=10 * PAGE, after=after
        ):
            yield session


def update_of(kind: UpdateKind, message: Document) -> Document:
    """The event of a changed message: whole, `_id` and `seq` of a deleted one, `seq` where the session was cleared."""
    is_there = kind in (UpdateKind.EDITED, UpdateKind.ENRICHED)
    return {
        "kind": kind,
        "uuid": message.get("_id"),
        "seq": message["seq"],
        "message": message if is_there else None,
    }
