"""What can be followed, and how each kind of it is read where the live events don't reach back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, ClassVar, TypeAlias

from graph.errors import Forbidden
from graph.store import following
from graph.store.changes import Moment
from graph.store.database import Database
from graph.store.documents import Document, now
from graph.store.scope import Scope

PAGE = 100
"""Documents that a follower reads from the store at once."""

Place: TypeAlias = Any
"""How far a follower has come: a `seq`, or a time; later ones are greater."""


class UpdateKind(StrEnum):
    """What happened to a message."""

    EDITED = "EDITED"
    DELETED = "DELETED"
    ENRICHED = "ENRICHED"


class Feed(Enum):
    """The kinds of events."""

    ADDED = auto()
    UPDATED = auto()
    SESSIONS = auto()


Topic: TypeAlias = tuple[Feed, str | None]
"""A feed, and the session or user in it; None for all users."""


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

    @abstractmethod
    async def check(self) -> None:
        """Find out about what was not `known`; raise `Forbidden` when it is another's."""


@dataclass(slots=True, kw_only=True)
class MessagesAdded(Source):
    """The messages of a session, by `seq`; an event is a message."""

    reads_store_first = True

    session_id: str

    @property
    def topic(self) -> Topic:
        """The session's new messages."""
        return Feed.ADDED, self.session_id

    async def stored(self, after: Moment | None) -> AsyncIterator[Document]:
        """The messages after the place, page by page."""
        session = await self._visible_session(after)
        if session is None:
            return
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

    async def check(self) -> None:
        """Look at the session."""
        await self._visible_session(None)

    async def _visible_session(self, after: Moment | None) -> Document | None:
        session = await following.session_state(self.database, self.session_id, after)
        if session is not None:
            check_visible(self.scope, session)
            self.known = True
        return session


@dataclass(slots=True, kw_only=True)
class MessagesUpdated(Source):
    """Changed messages of a session, by time; an event has `kind`, `uuid`, `seq` and `message`."""

    reads_store_first = False  # from now on: there is nothing to catch up with

    session_id: str

    @property
    def topic(self) -> Topic:
        """The session's changed messages."""
        return Feed.UPDATED, self.session_id

    async def stored(self, after: Moment | None) -> AsyncIterator[Document]:
        """What changed since the place. A deletion leaves nothing to be found."""
        since, self.place = self.place, now()
        for message in await following.messages_changed_since(
            self.database, self.session_id, since, limit=10 * PAGE, after=after
        ):
            if message["updatedAt"] > message["createdAt"] and message["updatedAt"] >= since:
                yield update_of(UpdateKind.EDITED, message)
            if "at" in message["enrichment"] and message["enrichment"]["at"] >= since:
                yield update_of(UpdateKind.ENRICHED, message)

    async def check(self) -> None:
        """Look at the session."""
        session = await following.session_state(self.database, self.session_id)
        if session is not None:
            check_visible(self.scope, session)
            self.known = True


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

    async def check(self) -> None:
        """Nothing: a user's sessions are his, also before there are any."""


def update_of(kind: UpdateKind, message: Document) -> Document:
    """The event of a changed message; of a deleted one, only `_id`, `seq` and `sessionId` are known."""
    return {
        "kind": kind,
        "uuid": message["_id"],
        "seq": message["seq"],
        "message": None if kind is UpdateKind.DELETED else message,
    }


def check_visible(scope: Scope, session: Document) -> None:
    """Raise `Forbidden` for a session that is not the caller's."""
    if not scope.sees_session(session):
        raise Forbidden("the session belongs to another user")
