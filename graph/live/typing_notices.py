"""The notices of who writes in a session as a source."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from graph.live.memory import Memory
from graph.live.sessions import time_of
from graph.live.source import Feed, InSession, Place, Topic, no_mark
from graph.store.documents import AnyDocument, Document
from graph.store.feed.changes import Moment


@dataclass(slots=True, kw_only=True)
class TypingNoticed(InSession):
    """The notices of a session, by time; an event has `userId`, `name`, `typing` and `expiresAt`.

    No earlier notice is given: a follower that is behind goes on with the next one.
    """

    starts_with_stored = False

    @property
    def topic(self) -> Topic:
        """The session's notices."""
        return Feed.TYPING, self.session_id

    @property
    def mark(self) -> str:
        """The time."""
        return str(self.place.isoformat())

    def _place_of(self, mark: str) -> Place:
        place = time_of(mark)
        if place is None:
            raise no_mark("a time with its offset")
        return place

    async def stored(self, _memory: Memory, after: Moment | None) -> AsyncGenerator[Document, None]:
        """No event; looks whether the session exists."""
        await self.session(after)
        nothing: tuple[Document, ...] = ()
        for event in nothing:
            yield event


def notice_of(notice: AnyDocument) -> Document:
    """The event of a notice."""
    return {name: notice[name] for name in ("userId", "name", "typing", "expiresAt")}
