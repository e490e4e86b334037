"""The messages of a session as sources: those that are added, and those that change."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from graph.live.memory import Memory
from graph.live.paging import Placed, Read, merged, paged
from graph.live.source import Feed, Gone, InSession, Place, Topic, UpdateKind, no_mark
from graph.store.documents import AnyDocument, Document, now
from graph.store.feed import following
from graph.store.feed.changes import Moment
from graph.store.visible import Visible

_MOST_DIGITS = 18
"""Of a number that MongoDB can compare as one."""


def is_number(text: str) -> bool:
    """Whether a text is a decimal number that MongoDB can compare as one."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


@dataclass(slots=True, kw_only=True)
class MessagesAdded(InSession):
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
        if not is_number(mark):
            raise no_mark("the seq of a message")
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

        async with aclosing(paged(memory, read)) as items:
            async for item in items:
                self.place = item.document["seq"]
                only_reference = [item.document]
                del item
                yield only_reference.pop()
        # Numbers up to here that were not found are those of deleted messages.
        self.place = max(self.place, last)

    def is_next(self, place: Place) -> bool | None:
        """Compare the numbers of messages, whose only gaps are deleted messages."""
        if place <= self.place:
            return False
        return True if place == self.place + 1 else None

    async def check_life(self, after: Moment | None) -> None:
        """A session that was followed from its first message on, and was never looked at, is gone."""
        if self.session_uuid is None and self.place > 0:
            raise Gone
        await InSession.check_life(self, after)


class UpdatePlace(NamedTuple):
    """The place of a change to a message.

    Attributes:
        revision: of the session; all earlier edits and deletions come before this place.
        at: the time; the enrichments that were published earlier come before this place.
        change: the revision of the session that an edit or a deletion made; None for others.
    """

    revision: int
    at: datetime
    change: int | None = None


@dataclass(slots=True, kw_only=True)
class MessagesUpdated(InSession):
    """Changed messages of a session; an event has `kind`, `uuid`, `seq`, `message` and `revision`.

    Edits and deletions are in the order of the session's revisions. An enrichment makes no revision, since it would
    conflict with the writes of the session, so enrichments are found by time, and may come again.

    Attributes:
        read_to: the revision up to which edits and deletions came from the store, or before the follower.
    """

    starts_with_stored = False

    read_to: int = 0

    @property
    def topic(self) -> Topic:
        """The session's changed messages."""
        return Feed.UPDATED, self.session_id

    @property
    def mark(self) -> str:
        """The revision and the time."""
        return f"{self.place.revision}@{self.place.at.isoformat()}"

    def _place_of(self, mark: str) -> Place:
        revision, _, time = mark.partition("@")
        try:
            at = datetime.fromisoformat(time)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or not is_number(revision):
            raise no_mark("a revision and a time")
        return UpdatePlace(int(revision), at)

    def is_next(self, place: Place) -> bool | None:
        """Whether the change was not yet read from the store."""
        return place.change is None or place.change > self.read_to

    async def stored(self, memory: Memory, after: Moment | None) -> AsyncGenerator[Document, None]:
        """The changes after the place: enrichments, then edits and deletions in their order.

        The events of enrichments have the revision of the place, so that a client that loses its connection during the
        edits, and comes back with the revision of one of them, has all enrichments.
        """
        until = now()
        session = await self.session(after)
        if session is None:
            return
        visible, start = Visible.of(session), self.place
        since = following.earlier(start.at, self.publication_time)
        read = partial(following.messages_enriched_since, self.database, visible, since, after=after)
        async with aclosing(paged(memory, read)) as items:
            async for item in items:
                only_reference = [update_of(UpdateKind.ENRICHED, item.document, start.revision)]
                del item
                yield only_reference.pop()
        async with aclosing(self._changes(memory, visible, start.revision, after)) as changes:
            async for revision, event in changes:
                self.place = UpdatePlace(event["revision"], until)
                self.read_to = max(self.read_to, revision - 1)
                only_reference = [event]
                del event
                yield only_reference.pop()
        self.read_to = max(self.read_to, session.get("revision", 0))
        self.place = UpdatePlace(self.read_to, until)

    def _changes(
        self, memory: Memory, visible: Visible, revision: int, after: Moment | None
    ) -> AsyncGenerator[Placed, None]:
        deleted = partial(following.messages_deleted_since, self.database, self.session_id, revision, after=after)
        edited = partial(following.messages_edited_since, self.database, visible, revision, after=after)
        return _merged_changes(memory, (deleted, deletion_of), (edited, partial(update_of, UpdateKind.EDITED)))


async def _merged_changes(
    memory: Memory, *listings: tuple[Read, Callable[[AnyDocument, int], Document]]
) -> AsyncGenerator[Placed, None]:
    first, second = (_placed(memory, read, event_of) for read, event_of in listings)
    async with aclosing(first), aclosing(second), aclosing(merged(first, second)) as events:
        async for revision, event in events:
            only_reference = [event]
            del event
            yield revision, only_reference.pop()


async def _placed(
    memory: Memory, read: Read, event_of: Callable[[AnyDocument, int], Document]
) -> AsyncGenerator[Placed, None]:
    async with aclosing(paged(memory, read)) as items:
        async for item in items:
            revision = item.position[0]
            only_reference = [event_of(item.document, reached(revision, item.document))]
            del item
            yield revision, only_reference.pop()


def reached(revision: int, stamped: AnyDocument) -> int:
    """Return the revision up to which a client has all edits and deletions, after the event of one change.

    Args:
        revision: the session's revision after the change.
        stamped: the tombstone, or the current message, which may have the `Stamp` of a later change.
    """
    is_whole = stamped.get("sessionRevision") == revision and not stamped.get("partOfMany")
    return revision if is_whole else revision - 1


def update_of(kind: UpdateKind, message: AnyDocument, revision: int) -> Document:
    """The event of a message that was edited or enriched."""
    return {"kind": kind, "uuid": message["_id"], "seq": message["seq"], "message": message, "revision": revision}


def deletion_of(tombstone: AnyDocument, revision: int) -> Document:
    """The event of a message that was deleted, or of all messages of a session up to a number."""
    kind = UpdateKind.DELETED if "uuid" in tombstone else UpdateKind.CLEARED
    event = {"kind": kind, "uuid": tombstone.get("uuid"), "seq": tombstone["seq"], "message": None}
    return {**event, "revision": revision}
