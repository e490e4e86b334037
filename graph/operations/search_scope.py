"""The messages of a scope that searches compare, as entries by session and in columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from graph.enrichment.models import use_one_thread
from graph.store.documents import SessionDocument
from graph.store.visible import Visible

if TYPE_CHECKING:
    from graph.recall.columns import Columns
    from graph.recall.entries import Entry

_BYTES_OF_ENTRY = 600  # its objects, except for the vector and the terms

Version = tuple[datetime | None, datetime | None]


@dataclass(slots=True)
class CachedSession:
    """The cached messages of a session.

    Attributes:
        part: the visible part of the session, all branches included, of which messages are cached.
        shown: the part on the path to its head, which searches compare.
        last_seq: messages after this number are not cached.
        uuid: identifies the session.
        entries: the entries of the messages, by uuid.
        versions: the versions of the messages, by uuid.
        branches: the branches of the messages in other branches than 0, by uuid.
    """

    part: Visible
    shown: Visible
    last_seq: int
    uuid: str
    entries: dict[str, Entry] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    branches: dict[str, int] = field(default_factory=dict)

    def shown_entries(self) -> Iterable[Entry]:
        """Return the entries of the messages on the path to the head."""
        if self.shown.path is None:
            return self.entries.values()
        until = {part.branch: part.until for part in self.shown.path}
        return [entry for uuid, entry in self.entries.items() if entry.seq <= until.get(self.branches.get(uuid, 0), 0)]

    def is_another(self, stored: SessionDocument) -> bool:
        """Return whether its contents were erased; a new session may have the id and the counts of a deleted one."""
        return stored["uuid"] != self.uuid or Visible.of(stored) != self.part

    def has_lost(self, stored: SessionDocument | None) -> bool:
        """Return whether messages were erased or deleted since the entries were read, by the stored session's count."""
        if stored is None or self.is_another(stored):
            return True
        added = stored["lastSeq"] - self.last_seq
        return stored["messageCount"] != len(self.entries) + added


@dataclass(slots=True)
class CachedScope:
    """The cached messages of a scope.

    Attributes:
        model: the model whose vectors are cached.
        since: the time from which changes of messages are read next, by the clock of this process.
        vectors_since: the time from which vectors are read next, by the clock of MongoDB; None for all.
        began: when the last read began, by the monotonic clock.
        sessions: the cached sessions, by id.
        columns: their messages as an earlier search compared them; None if messages were lost since.
        changed: the messages that were added or changed since, by id.
    """

    model: str | None
    since: datetime
    vectors_since: datetime | None = None
    began: float = 0.0
    sessions: dict[str, CachedSession] = field(default_factory=dict)
    columns: Columns | None = None
    changed: dict[str, Entry] = field(default_factory=dict)

    def put(self, entry: Entry) -> None:
        """Add a message, or replace it."""
        session = self.sessions[entry.session_id]
        former = session.entries.get(entry.message_id)
        session.entries[entry.message_id] = self.changed[entry.message_id] = entry
        if session.shown.path is not None:
            self.columns = None  # the message may be in another branch than the path
        elif former is not None and (former.language, former.speaker) != (entry.language, entry.speaker):
            self.columns = None  # the query is read by the languages and the speakers that there are

    def lose(self, session_id: str) -> None:
        """Remove a session; the messages that it has left must be read again."""
        del self.sessions[session_id]
        self.columns = None

    def bring_up_to_date(self) -> Columns:
        """Return the messages in columns; run it on a thread."""
        columns = self.columns
        if columns is not None and self.changed:
            columns = _updated(columns, self.changed.values())
        if columns is None:
            columns = columns_from(entry for session in self.sessions.values() for entry in session.shown_entries())
        self.columns = columns
        self.changed.clear()
        return columns


def size_of(columns: Columns) -> int:
    """Return the approximate bytes of the messages of a scope, in columns and as entries."""
    return 2 * columns.nbytes + _BYTES_OF_ENTRY * len(columns.message_ids)


def columns_from(entries: Iterable[Entry]) -> Columns:
    """Return the columns of messages, given in any order; run it on a thread."""
    use_one_thread()
    from graph.recall.columns import columns_of  # noqa: PLC0415 - as above

    given = list(entries)
    return columns_of(given, next((len(entry.vector) for entry in given if entry.vector), 0))


def _updated(columns: Columns, changed: Collection[Entry]) -> Columns | None:
    """Return the columns with the changed messages; None if these have the first vectors of the scope."""
    from graph.recall.columns import updated  # noqa: PLC0415 - as above

    if not columns.vectors.shape[1] and any(entry.vector for entry in changed):
        return None
    return updated(columns, changed)
