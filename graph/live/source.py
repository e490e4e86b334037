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
    TYPING = auto()


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
        place: the place of the last event that the follower has.
        resumes: whether a client that subscribed before gave the place.
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
        """Whether the last event was sent, after which the source has no further event."""
        return False

    @property
    @abstractmethod
    def mark(self) -> str:
        """The place as text, from which a client can resume."""

    def resume(self, mark: str) -> None:
        """Begin after a place that `mark` gave.

        Raises:
            BadUserInput: the text is not a place of this source.
        """
        self.place = self._place_of(mark)
        self.resumes = True

    @abstractmethod
    def _place_of(self, mark: str) -> Place:
        """Parse the text of a place."""

    @property
    @abstractmethod
    def topic(self) -> Topic:
        """The topic under which the hub publishes its events."""

    @abstractmethod
    def stored(self, memory: Memory, after: Moment | None) -> AsyncGenerator[Document, None]:
        """Yield the stored events after the place, read causally after a moment; each event advances the place.

        The source keeps no reference to a yielded event, and may drop later events of a page when memory is short.
        """

    @property
    def publication_time(self) -> timedelta:
        """The maximum time from the stored start of a change to the publication of the change."""
        return timedelta(seconds=self.database.write_deadline)

    def is_next(self, place: Place) -> bool | None:
        """Whether the live event at a place is the next one: False for an earlier event, None if others lie between."""
        del place
        return True

    async def check(self, after: Moment | None) -> None:
        """Update `is_visible`: a session that belongs to another user is not visible."""
        del after

    async def check_life(self, after: Moment | None) -> None:
        """Raise `Gone` if the followed object was deleted; an earlier object with the same id does not count."""
        del after


@dataclass(slots=True, kw_only=True)
class InSession(Source):
    """A source within one session.

    Attributes:
        session_id: the caller's id.
        session_uuid: differs from that of a later session with the same id; None while unknown.
        belongs_to_another: whether the session was found to have another user, who stays its user until it is deleted.
            Its events cause no reads.
    """

    session_id: str
    session_uuid: str | None
    belongs_to_another: bool = False

    async def session(self, after: Moment | None) -> SessionDocument | None:
        """Return the session; None if the session does not exist yet, or belongs to another user.

        Raises:
            Gone: the session was deleted.
        """
        session = await following.session_state(self.database, self.session_id, after)
        if self.session_uuid is not None and (session is None or session["uuid"] != self.session_uuid):
            raise Gone
        is_visible = session is not None and self.scope.sees_session(session)
        self.belongs_to_another = session is not None and not is_visible and session.get("userId") is not None
        if not is_visible:
            return None
        if session is not None:
            self.is_visible = True
            self.session_uuid = session["uuid"]
        return session

    async def check(self, after: Moment | None) -> None:
        """Look at the session."""
        if not self.belongs_to_another:
            await self.session(after)

    async def check_life(self, after: Moment | None) -> None:
        """Look at the session; one of another user may be deleted, and the next one with its id be the caller's."""
        self.belongs_to_another = False
        if self.session_uuid is not None:
            await self.session(after)
