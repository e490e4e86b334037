"""The one place of a process where changes come in, and from where they go to the groups that follow them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable
from contextlib import aclosing
from contextvars import Context
from datetime import datetime
from typing import Any, cast

from graph.live.follower import Follower
from graph.live.group import DELETION, Execute, Group
from graph.live.memory import Memory, Outlet
from graph.live.messages import UpdatePlace, deletion_of, reached, update_of
from graph.live.pieces import END, end_of, event_of
from graph.live.sessions import session_update_of
from graph.live.source import Feed, Key, SessionUpdateKind, Source, Topic, UpdateKind
from graph.live.typing_notices import notice_of
from graph.store.database import Database
from graph.store.documents import MessageDocument, SessionDocument, now
from graph.store.driver.availability import repeatedly, until_available
from graph.store.feed import following
from graph.store.feed.changes import Change, ChangeKind, Moment, Opened, watch
from graph.store.streams.documents import PiecesDocument, pieces_in
from graph.store.streams.reading import is_streaming

logger = logging.getLogger(__name__)

_KINDS = {
    ChangeKind.MESSAGE_EDITED: UpdateKind.EDITED,
    ChangeKind.MESSAGE_ENRICHED: UpdateKind.ENRICHED,
    ChangeKind.MESSAGE_DELETED: UpdateKind.DELETED,
    ChangeKind.MESSAGES_CLEARED: UpdateKind.CLEARED,
}
_OF_PRESENT_MESSAGES = (UpdateKind.EDITED, UpdateKind.ENRICHED)
_SESSION_KINDS = {
    ChangeKind.SESSION_CREATED: SessionUpdateKind.CREATED,
    ChangeKind.SESSION_CHANGED: SessionUpdateKind.CHANGED,
}
_PAUSE = 0.2  # seconds before a change stream that failed is opened again
_MOST_SILENCE = 5.0  # seconds without an answer of the change stream, of which MongoDB sends one each second


class Hub:
    """Opens the change stream with the first follower and closes it with the last.

    Attributes:
        memory: bounds the memory of all followers together.
        at: the moment up to which changes have been handed to the groups; None while the stream is not open.
        is_closing: followers end because the service stops, and not because of a deletion.
    """

    def __init__(self, database: Database, memory: Memory | None = None) -> None:
        self.memory = memory or Memory()
        self.at: Moment | None = None
        self.is_closing = False
        self._database = database
        self._feeds: dict[Feed, dict[Key, dict[Hashable, Group]]] = {feed: {} for feed in Feed}
        self._followers = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._answered_at = 0.0  # by the clock of the loop
        self._changed_messages: dict[tuple[str, UpdateKind], Change] = {}  # in the order of the commits
        self._revisions: dict[str, int] = {}  # by session, the greatest that was published of its changed messages
        self._changed_sessions: dict[str, SessionUpdateKind] = {}
        self._ended_streams: set[str] = set()
        self._deleted: set[str] = set()  # while changed messages are looked up
        self._deleted_sessions: set[str] = set()  # while changed sessions are looked up
        self._cleared: dict[str, int] = {}  # by session, meanwhile, the last number that went
        self._look = asyncio.Event()

    @property
    def is_watching(self) -> bool:
        """Whether the change stream is open or being opened."""
        return bool(self._tasks)

    @property
    def followers(self) -> int:
        """The number of subscribers."""
        return self._followers

    @property
    def is_behind(self) -> bool:
        """Whether there are followers, and MongoDB has sent no answer of the change stream lately."""
        return self.is_watching and asyncio.get_running_loop().time() - self._answered_at > _MOST_SILENCE

    def follow(self, source: Source, request: Hashable, execute: Execute, outlet: Outlet | None = None) -> Follower:
        """Follow a source from now on; close the follower after use.

        Args:
            source: the session, user or all sessions to follow, and the place to start at.
            request: identifies the other inputs of a result; followers with an equal one share their results.
            execute: makes the result of an event.
            outlet: where the results go; one of its own by default.
        """
        feed, key = source.topic
        groups = self._feeds[feed].setdefault(key, {})
        group = groups.get(request)
        if group is None:
            group = groups[request] = Group(execute, self.memory)
        group.ended = group.ended or self.is_closing
        group.followers += 1
        self._followers += 1
        if not self._tasks:
            self._note_answer()  # the stream has some seconds to open
            # In new contexts: they outlive the request of the first follower.
            works = (self._follow_changes(), self._look_up())
            self._tasks = [asyncio.create_task(work, context=Context()) for work in works]
        return Follower(self, group, source, outlet or Outlet())

    def leave(self, topic: Topic, group: Group) -> None:
        """Take one follower off a group."""
        self._followers -= 1
        group.followers -= 1
        if not group.followers:
            group.close()
            feed, key = topic
            groups = self._feeds[feed].get(key, {})
            for request in [request for request, other in groups.items() if other is group]:
                del groups[request]
            if not groups:
                self._feeds[feed].pop(key, None)
                if feed is Feed.UPDATED and isinstance(key, str):
                    self._revisions.pop(key, None)
        if not self._followers:
            self._stop()

    def _stop(self) -> None:
        for task in self._tasks:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            task.cancel()
        self._tasks = []
        self._open.clear()
        self.at = None
        self._changed_messages.clear()
        self._changed_sessions.clear()
        self._ended_streams.clear()

    async def opened(self) -> None:
        """Wait until the stream has a beginning, from which on nothing is missed."""
        await self._open.wait()

    def drain(self) -> None:
        """Let all followers end, those to come as well, since the service stops."""
        self.is_closing = True
        self._open.set()
        for group in self._groups():
            group.end()

    async def close(self) -> None:
        """Drain, and close the change stream."""
        self.drain()
        self._stop()
        # With the last follower's end too, the stream only begins to close: until then MongoDB goes on with its look.
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _follow_changes(self) -> None:
        lost = False

        async def follow() -> None:
            nonlocal lost
            async with aclosing(watch(self._database, self._note_answer)) as changes:
                was_lost, lost = lost, True
                async for change in changes:
                    self._hand_out(change, lost=was_lost)

        await repeatedly(("the change stream", follow), pause=_PAUSE)

    def _note_answer(self) -> None:
        self._answered_at = asyncio.get_running_loop().time()

    def _hand_out(self, change: Change | Opened, *, lost: bool) -> None:
        # Nothing is awaited between the two: a follower that finds this moment finds these events in its group, too.
        if isinstance(change, Change):
            self._dispatch(change)
            self.at = change.at
            return
        self.at = change.at
        if change.lost or lost:
            for group in self._groups():
                group.overrun()
        self._open.set()

    def _groups(self) -> list[Group]:
        return [group for feed in self._feeds.values() for groups in feed.values() for group in groups.values()]

    def _dispatch(self, change: Change) -> None:
        document = change.document
        match change.kind:
            case ChangeKind.MESSAGE_ADDED:
                self._publish((Feed.ADDED, document["sessionId"]), document["seq"], document, change.committed)
            case ChangeKind.PIECES_ADDED | ChangeKind.STREAM_ENDED:
                self._change_stream(change)
            case ChangeKind.TYPING:
                self._publish((Feed.TYPING, document["sessionId"]), document["at"], notice_of(document))
            case ChangeKind.MESSAGE_DELETED | ChangeKind.MESSAGES_CLEARED:
                if change.kind is ChangeKind.MESSAGE_DELETED:
                    self._deleted.add(change.id)
                else:
                    self._cleared[change.id] = document["seq"]
                self._end_streams_of(document["sessionId"], document.get("uuid"))
                self._change_message(change)
            case ChangeKind.SESSION_DELETED:
                for feed in (Feed.ADDED, Feed.UPDATED, Feed.TYPING):
                    self._publish((feed, change.id), DELETION, {})
                self._end_streams_of(change.id)
                self._revisions.pop(change.id, None)  # a later session with its id begins with 1
                self._deleted_sessions.add(change.id)
                self._changed_sessions.pop(change.id, None)  # its earlier state is of no use to a reader
                self._look.set()
                self._publish_session(SessionUpdateKind.DELETED, change.id, document.get("userId"))
            case ChangeKind.SESSION_CREATED | ChangeKind.SESSION_CHANGED:
                if self._feeds[Feed.SESSIONS]:
                    self._changed_sessions.setdefault(change.id, _SESSION_KINDS[change.kind])
                    self._look.set()
            case _:
                self._change_message(change)

    def _change_message(self, change: Change) -> None:
        """Look the message up; the event of its latest change of a kind takes the place of the earlier ones."""
        if self._feeds[Feed.UPDATED]:
            key = change.id, _KINDS[change.kind]
            self._changed_messages.pop(key, None)
            self._changed_messages[key] = change
        self._look.set()  # which forgets earlier deletions, too

    def _change_stream(self, change: Change) -> None:
        """Publish pieces of a message, or look up the message whose last piece has come."""
        if change.kind is ChangeKind.PIECES_ADDED:
            key = change.document["sessionId"], change.document["messageId"]
            if key in self._feeds[Feed.PIECES]:
                for piece in pieces_in(cast("PiecesDocument", change.document)):
                    self._publish((Feed.PIECES, key), piece.index, event_of(piece), change.committed)
        elif self._feeds[Feed.PIECES]:
            self._ended_streams.add(change.id)
            self._look.set()

    def _end_streams_of(self, session_id: str, uuid: str | None = None) -> None:
        """Make the followers of the pieces of a message, or of all messages of a session, check for deletions."""
        for key in self._feeds[Feed.PIECES]:
            if isinstance(key, tuple) and key == (session_id, uuid or key[1]):
                self._publish((Feed.PIECES, key), DELETION, {})

    def _publish(self, topic: Topic, place: object, event: Any, committed: datetime | None = None) -> None:
        feed, key = topic
        groups = self._feeds[feed].get(key)
        if not groups:
            return
        shared = self.memory.event(event, committed)
        if self.memory.is_full:
            logger.warning("events wait for slow results: subscribers read the store")
            for group in self._groups():
                group.overrun()
        for group in groups.values():
            group.publish(place, shared)

    async def _look_up(self) -> None:
        """Read changed documents, which the events of updates do not hold; changes during a read are read next."""
        while True:
            await self._look.wait()
            self._look.clear()
            self._deleted.clear()
            self._deleted_sessions.clear()
            self._cleared.clear()
            messages, self._changed_messages = self._changed_messages, {}
            sessions, self._changed_sessions = self._changed_sessions, {}
            ended, self._ended_streams = self._ended_streams, set()
            try:
                if ended:
                    await self._publish_ends(ended)
                if messages:
                    await self._publish_messages(messages)
                if sessions:
                    await self._publish_sessions(sessions)
            except Exception:
                logger.exception("changes could not be read and are not published")

    async def _publish_messages(self, changed: dict[tuple[str, UpdateKind], Change]) -> None:
        """Publish changes in the order of the commits, so that a subscriber with a revision has all earlier changes."""
        uuids = {uuid for uuid, kind in changed if kind in _OF_PRESENT_MESSAGES}
        found = await until_available(lambda: following.messages_by_id(self._database, uuids, self.at)) if uuids else {}
        for (uuid, kind), change in changed.items():
            message = found.get(uuid)
            if kind not in _OF_PRESENT_MESSAGES:
                self._publish_deletion(change)
            elif message is not None and not self._is_deleted(message):
                self._publish_change(kind, change, message)

    async def _publish_ends(self, uuids: set[str]) -> None:
        """Publish the ends of messages that were written in pieces, which come after all of their pieces."""
        found = await until_available(lambda: following.messages_by_id(self._database, uuids, self.at))
        for uuid, message in found.items():
            if not is_streaming(message) and not self._is_deleted(message):
                self._publish((Feed.PIECES, (message["sessionId"], uuid)), END, end_of(message))

    def _is_deleted(self, message: MessageDocument) -> bool:
        """Whether the message was deleted after the read; the deletion is a separate event."""
        return message["_id"] in self._deleted or message["seq"] <= self._cleared.get(message["sessionId"], 0)

    def _publish_deletion(self, change: Change) -> None:
        made = change.document.get("sessionRevision", 0)
        session_id = change.document["sessionId"]
        revision = self._revision_of(session_id, reached(made, change.document))
        place = UpdatePlace(revision, now(), made)
        self._publish((Feed.UPDATED, session_id), place, deletion_of(change.document, revision), change.committed)

    def _publish_change(self, kind: UpdateKind, change: Change, message: MessageDocument) -> None:
        # The message was read later than the event, so its stamp may be that of a change whose event is yet to come.
        made = change.document.get("sessionRevision") if kind is UpdateKind.EDITED else None
        if made is not None:
            least = reached(made, message)
        else:
            least = 0 if "editedAt" in message else message.get("sessionRevision", 0)
        revision = self._revision_of(message["sessionId"], least)
        place = UpdatePlace(revision, now(), made)
        self._publish((Feed.UPDATED, message["sessionId"]), place, update_of(kind, message, revision), change.committed)

    def _revision_of(self, session_id: str, least: int) -> int:
        """Return the revision up to which all changes of a session's messages are published with the next event."""
        revision = max(self._revisions.get(session_id, 0), least)
        if session_id in self._feeds[Feed.UPDATED]:
            self._revisions[session_id] = revision
        return revision

    async def _publish_sessions(self, changed: dict[str, SessionUpdateKind]) -> None:
        for session in await until_available(lambda: following.sessions_by_id(self._database, changed, self.at)):
            session_id = session["_id"]
            if session_id not in self._deleted_sessions:  # since it was read: a later one with its id is looked up next
                self._publish_session(changed[session_id], session_id, session.get("userId"), session)

    def _publish_session(
        self, kind: SessionUpdateKind, session_id: str, user_id: str | None, session: SessionDocument | None = None
    ) -> None:
        for topic in {(Feed.SESSIONS, user_id), (Feed.SESSIONS, None)}:
            at = now()
            self._publish(topic, at, session_update_of(kind, session_id, at, session))
