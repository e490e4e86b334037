"""The sources that subscribers follow, and how each is read where the live events don't reach back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum, auto
from typing import Any, ClassVar, TypeAlias

from graph.errors import BadUserInput
from graph.live.memory import Memory
from graph.store.database import Database
from graph.store.documents import Document, SessionDocument
from graph.store.feed import following
from graph.store.feed.changes import Moment
from graph.store.scope import Scope

Place: TypeAlias = Any
"""The place of a follower; later places are greater."""


def no_mark(needed: str) -> BadUserInput:
    """Return the refusal of a Last-Event-ID that is no mark of a source."""
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
    PIECES = auto()


Key: TypeAlias = str | tuple[str, str] | None
"""A session or a user, a session and a message of the session, or None for all users."""

Topic: TypeAlias = tuple[Feed, Key]
"""A feed, and its session, user or message."""


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
        is_visible: whether the followed session has been found to be visible. A session that does not exist yet may
            become another user's.
        event_of: makes the value of the subscription's field from an event.
    """

    starts_with_stored: ClassVar[bool]

    database: Database
    scope: Scope
    place: Place
    is_visible: bool = True
    resumes: bool = False
    event_of: Callable[[Document], Document] = lambda event: event

    @property
    def reads_store_first(self) -> bool:
        """Whether stored events come before live ones."""
        return self.starts_with_stored or self.resumes

    @property
    def is_over(self) -> bool:
        """Whether the last event was given: there are no later ones."""
        return False

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

    @property
    def publication_time(self) -> timedelta:
        """The time from the start of a change, which it is stored with, to its publication, at most."""
        return timedelta(seconds=self.database.write_deadline)

    def is_next(self, place: Place) -> bool | None:
        """Whether the live event at a place comes next: False when it is behind, None when something lies between."""
        del place
        return True

    async def check(self, after: Moment | None) -> None:
        """Look whether the session is `is_visible` by now: it is not while it belongs to another user."""
        del after

    async def check_life(self, after: Moment | None) -> None:
        """Raise `Gone` if a published deletion is one of the followed object, not of an earlier one with its id."""
        del after


@dataclass(slots=True, kw_only=True)
class InSession(Source):
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
            self.is_visible = True
            self.session_uuid = session["uuid"]
        return session

    async def check(self, after: Moment | None) -> None:
        """Look at the session."""
        await self.session(after)

    async def check_life(self, after: Moment | None) -> None:
        """Look at the session."""
        if self.session_uuid is not None:
            await self.session(after)
