"""The sessions of a user, or of all, as a source."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from graph.live.memory import Memory
from graph.live.paging import paged
from graph.live.source import Feed, Place, SessionUpdateKind, Source, Topic, no_mark
from graph.store.documents import AnyDocument, Document, now
from graph.store.feed import following
from graph.store.feed.changes import Moment


@dataclass(slots=True, kw_only=True)
class SessionsUpdated(Source):
    """New, changed and deleted sessions of a user, or of all, by time.

    An event has `kind`, `sessionId`, `session` and `revision`, the mark of its place.
    """

    starts_with_stored = False

    user_id: str | None

    @property
    def topic(self) -> Topic:
        """The sessions of one user, or all."""
        return Feed.SESSIONS, self.user_id

    @property
    def mark(self) -> str:
        """The time."""
        return str(self.place.isoformat())

    def _place_of(self, mark: str) -> Place:
        place = time_of(mark)
        if place is None:
            raise no_mark("a time with its offset")
        return place

    async def stored(self, memory: Memory, after: Moment | None) -> AsyncGenerator[Document, None]:
        """The changes since the place, deletions first: a later session may have the id of a deleted one.

        The events of deletions have the place from which the follower came, so that a client that loses its connection
        during them, and comes back with that, has all changes.
        """
        start, until = self.place, now()
        bounds = (self.database, self.scope, self.user_id, following.earlier(start, self.publication_time))
        read_deleted = partial(following.sessions_deleted_since, *bounds, after=after)
        async with aclosing(paged(memory, read_deleted)) as tombstones:
            async for tombstone in tombstones:
                session_id = tombstone.document["sessionId"]
                yield session_update_of(SessionUpdateKind.DELETED, session_id, start)
        async with aclosing(paged(memory, partial(following.sessions_changed_since, *bounds, after=after))) as sessions:
            async for session in sessions:
                self.place = max(self.place, session.position[0])
                is_new = session.document["createdAt"] >= start
                kind = SessionUpdateKind.CREATED if is_new else SessionUpdateKind.CHANGED
                only_reference = [session_update_of(kind, session.document["_id"], self.place, session.document)]
                del session
                yield only_reference.pop()
        self.place = max(self.place, until)


def time_of(text: str) -> datetime | None:
    """Parse a time with an offset; None for any other text."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if time.tzinfo is None else time


def session_update_of(
    kind: SessionUpdateKind, session_id: str, at: datetime, session: AnyDocument | None = None
) -> Document:
    """The event of a session; `session` is None after a deletion."""
    return {"kind": kind, "sessionId": session_id, "session": session, "revision": at.isoformat()}
