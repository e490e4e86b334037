"""Conversion of a file's lines to documents with defaults: whole sessions, or parts of large sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, cast

from graph.enrichment.tokens import TokenCounter
from graph.errors import TransferError, shown
from graph.store.documents import (
    Document,
    MemoryDocument,
    MessageDocument,
    SessionDocument,
    UserDocument,
    pending,
)
from graph.store.entities.offsets import set_wide
from graph.store.item_documents import ItemDocument
from graph.store.jobs.enrichment import MOST_ENTITIES
from graph.store.streams.documents import MessageStatus
from graph.store.streams.reading import is_streaming
from graph.store.transfer.documents import Contents
from graph.transfer.branches import Branches
from graph.transfer.defaults import derived_uuid, item_of, message_of, summary_of, user_of, whole_memory_of
from graph.transfer.portions import Batch, Items, Load, Part, Portion, Users
from graph.transfer.records import LONGEST_LINE, parse, parse_header
from graph.transfer.source import Source
from graph.transfer.uuids import Uuids
from graph.transfer.values import MOST

AT_ONCE = Load(records=1_000, size=8 * 2**20, entities=MOST_ENTITIES)
"""Maximum load of one transaction, unless one line has more: mongod's cache limits transactions."""
_USERS_AT_ONCE = 1_000
_ITEMS_AT_ONCE = 32  # with the maximum of an item, the same bytes
_PLACES = {"session": 0, "memory": 1, "message": 2, "summary": 3}


@dataclass(slots=True)
class Assembly:
    """Reads a file once.

    Attributes:
        source: the file.
        tokens: counts the tokens of records without a `tokenCount`.
        at: the time for records without one.
        numbers: the `numbers` of the header.
    """

    source: Source
    tokens: TokenCounter
    at: datetime
    numbers: dict[str, int] = field(default_factory=dict)
    _line: int = 0
    _users: list[UserDocument] = field(default_factory=list)
    _items: list[ItemDocument] = field(default_factory=list)
    _ready: list[tuple[SessionDocument, Contents]] = field(default_factory=list)
    _ready_counts: dict[str, Callable[[], None]] = field(default_factory=dict)
    _ready_load: Load = field(default_factory=Load)
    _seen: set[int] = field(default_factory=set)
    _counts: dict[str, int] = field(default_factory=lambda: {"users": 0, "sessions": 0, "messages": 0})
    _open: _Session | None = None

    def portions(self) -> Iterator[Portion]:
        """Yield the portions to store, in the order of the file.

        Raises:
            TransferError: a line breaks the format. The portions before the session of that line have been yielded.
        """
        try:
            yield from self._portions()
        except TransferError:
            yield from self._flush()
            raise
        yield from self._flush()

    def _portions(self) -> Iterator[Portion]:
        header = parse_header(self._next_line())
        exported = "exportedAt" in header
        self.numbers = header.get("numbers", {})
        ended = False
        while line := self._next_line():
            if line.isspace():
                continue
            if ended:
                raise TransferError(f"line {self._line}: nothing may follow the end record")
            record = parse(line, self._line, exported=exported)
            if not exported and record["type"] == "message":
                set_wide(record.get("entities", ()), record["content"])
            kind = record.pop("type")
            if kind in ("user", "item"):
                yield from (*self._close(), *(self._add_user if kind == "user" else self._add_item)(record))
            elif kind == "end":
                yield from self._close()
                if record != self._counts:
                    raise TransferError(
                        f"line {self._line}: the end record counts {shown(record)}, the file has {self._counts}"
                    )
                ended = True
            else:
                yield from self._add(kind, record, len(line))
        if exported and not ended:
            where = "its last session is left out" if self._open else "its records are imported"
            self._open = None
            raise TransferError(
                f"line {self._line}: the export was cut off here, since the end record is missing; {where}"
            )
        yield from self._close()

    def _next_line(self) -> bytes:
        self._line += 1
        return self.source.readline(LONGEST_LINE + 1)

    def _add_user(self, record: Document) -> Iterator[Portion]:
        self._counts["users"] += 1
        self._users.append(user_of(record, self.at))
        yield from self._flush() if len(self._users) == _USERS_AT_ONCE else ()

    def _add_item(self, record: Document) -> Iterator[Portion]:
        self._counts["items"] = self._counts.get("items", 0) + 1
        self._items.append(item_of(record, self.at))
        yield from self._flush() if len(self._items) == _ITEMS_AT_ONCE else ()

    def _add(self, kind: str, record: Document, size: int) -> Iterator[Portion]:
        session_id = record["sessionId"]
        if self._open is None or self._open.session_id != session_id or kind == "session":
            yield from self._close()
            if hash(session_id) in self._seen:
                raise TransferError(
                    f"line {self._line}: session {shown(session_id)} came before: put its records together"
                )
            self._seen.add(hash(session_id))
            self._counts["sessions"] += 1
            self._open = _Session(session_id, self.tokens, self.at)
        if self._open.is_full:
            # Only when more records follow: a session that just fits is stored whole.
            yield from self._flush()
            self._open.count_tokens()
            yield Part(session_id, self._open.take(), None)
        if kind == "session":
            record.pop("retentionDays", None)  # the session gets that of its user where it is imported
        self._open.add(kind, record, size, self._line)
        if kind == "message":
            self._counts["messages"] += 1

    def _close(self) -> Iterator[Portion]:
        """End the open session."""
        closing, self._open = self._open, None
        if closing is None:
            return
        owner = closing.document(self._line - 1)
        contents = closing.take()
        if closing.divided:
            yield Part(closing.session_id, contents, owner)
            return
        if self._ready_load.plus(closing.taken).exceeds(AT_ONCE):
            yield from self._flush()
        self._ready.append((owner, contents))
        if not closing.counted:
            self._ready_counts[closing.session_id] = partial(closing.count_tokens, owner)
        self._ready_load = self._ready_load.plus(closing.taken)

    def _flush(self) -> Iterator[Portion]:
        # Users first: sessions refer to them.
        if self._users:
            yield Users(self._users)
            self._users = []
        if self._ready:
            yield Batch(self._ready, self._ready_counts)
            self._ready, self._ready_counts = [], {}
            self._ready_load = Load()
        if self._items:
            items, self._items = self._items, []
            yield Items(items)


class _Session:
    """A session that may have more records."""

    def __init__(self, session_id: str, tokens: TokenCounter, at: datetime) -> None:
        self.session_id = session_id
        self.divided = False
        self.taken = Load()
        self._tokens = tokens
        self._at = at
        self._recorded: Document = {}
        self._place = 0
        self._contents = Contents()
        self._size = 0
        self._keys: set[str] = set()  # of the entities that the messages mention
        self._ranges: list[tuple[int, int, str]] = []
        self._uncounted: dict[
            str, MemoryDocument
        ] = {}  # memories without a `tokenCount`, which is the sum of their messages
        self._uncounted_messages: list[MessageDocument] = []
        self._memory = 0  # the place in `_ranges` of the last message's memory
        self._last_seq = 0
        self._uuids = Uuids()
        self._branches = Branches(session_id)
        self._message_count = 0
        self._token_count = 0
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None

    @property
    def is_full(self) -> bool:
        """Whether the held records must be taken before the next one is added."""
        return self._load().reaches(AT_ONCE)

    def take(self) -> Contents:
        """Return the held records, to be stored, and forget them."""
        held = self._contents
        self.taken = self._load()
        self._contents, self._size, self._keys = Contents(), 0, set()
        return held

    def _load(self) -> Load:
        held = self._contents
        # An empty session counts, too.
        number = max(1, len(held.messages), len(held.memories), len(held.summaries))
        return Load(number, self._size, len(self._keys))

    def add(self, kind: str, record: Document, size: int, line: int) -> None:
        """Add a record; once records have been taken, the session is stored in parts."""
        self.divided = self.taken != Load()
        if _PLACES[kind] < self._place:
            raise TransferError(
                f"line {line}: the order is wrong: in a session, write memories, then messages, then summaries"
            )
        self._place = _PLACES[kind]
        self._size += size
        if kind == "session":
            self._recorded = {name: value for name, value in record.items() if value is not None}
            self._branches.begin(self._recorded, line)
        else:
            {"memory": self._add_memory, "message": self._add_message, "summary": self._add_summary}[kind](record, line)

    def _add_memory(self, record: Document, line: int) -> None:
        first, last = record["firstSeq"], record["lastSeq"]
        if last < first or (self._ranges and first <= self._ranges[-1][1]):
            raise TransferError(f"line {line}: the memories' ranges must ascend, from firstSeq to lastSeq")
        memory_id = record.pop("uuid")
        document = {"_id": memory_id, "metadata": {}, "createdAt": self._at, "tokenCount": 0} | record
        memory = cast("MemoryDocument", document)
        self._ranges.append((first, last, memory_id))
        if "tokenCount" in record:
            self._contents.memories.append(memory)
        else:
            self._uncounted[memory_id] = memory

    def _add_message(self, record: Document, line: int) -> None:
        self._branches.check(record, line)
        seq = record.get("seq", self._last_seq + 1)
        if seq <= self._last_seq:
            raise TransferError(
                f"line {line}: seq is {seq} after {self._last_seq}: a session's messages must stand in order"
            )
        if seq > MOST:
            raise TransferError(f"line {line}: seq is {seq} by its place, and at most {MOST} is accepted")
        tokens = record.get("tokenCount")
        message = message_of(record, self._memory_of(seq, record, line), seq, self._at)
        if is_streaming(message):
            message["status"] = MessageStatus.INTERRUPTED.value  # its pieces are not exported
            message["enrichment"] = pending(self._at)
        self._keys.update(entity["key"] for entity in message["entities"])
        if tokens is None:
            self._uncounted_messages.append(message)
        else:
            self._add_tokens(message, tokens)
            self._refuse_many_tokens(line)
        self._last_seq = seq
        self._uuids.add(seq, message["_id"])
        self._message_count += 1
        self._first_at = self._first_at or message["createdAt"]
        self._last_at = max(self._last_at or message["updatedAt"], message["updatedAt"])
        self._contents.messages.append(message)

    def _add_tokens(self, message: MessageDocument, tokens: int) -> None:
        message["tokenCount"] = tokens
        self._token_count += tokens
        if self._uncounted and (memory := self._uncounted.get(message["memoryId"])) is not None:
            memory["tokenCount"] += tokens

    def _refuse_many_tokens(self, line: int) -> None:
        if self._token_count > MOST:
            raise TransferError(
                f"line {line}: the tokenCount of the messages up to here is {self._token_count:,} in all, and a session"
                f" has at most {MOST:,}"
            )

    @property
    def counted(self) -> bool:
        """Whether all tokens are counted."""
        return not self._uncounted_messages

    def count_tokens(self, owner: SessionDocument | None = None) -> None:
        """Count the tokens of messages without `tokenCount`, and add them to the session's document, if given."""
        for message in self._uncounted_messages:
            tokens = self._tokens.count_message(message["role"], message["content"])
            self._add_tokens(message, tokens + self._tokens.count_parts(message.get("parts", ())))
        self._uncounted_messages = []
        if owner is not None:
            owner["tokenCount"] = self._token_count

    def _memory_of(self, seq: int, record: Document, line: int) -> str:
        """Return the id of the memory that holds a message."""
        if not self._ranges or self._ranges[0][0] == 0:
            if "memoryId" in record:
                raise TransferError(f"line {line}: memoryId is {record['memoryId']}, which no memory record has")
            if not self._ranges:
                self._hold_whole(record.get("createdAt", self._at), seq)
            memory_id = self._ranges[0][2]
            self._uncounted[memory_id]["lastSeq"] = seq
            return memory_id
        while self._memory < len(self._ranges) and self._ranges[self._memory][1] < seq:
            self._memory += 1
        if self._memory == len(self._ranges) or self._ranges[self._memory][0] > seq:
            raise TransferError(
                f"line {line}: no memory of session {shown(self.session_id)} has seq {seq} in its range"
            )
        memory_id = self._ranges[self._memory][2]
        if record.get("memoryId", memory_id) != memory_id:
            raise TransferError(f"line {line}: memoryId is not the memory that has seq {seq} in its range, {memory_id}")
        return memory_id

    def _hold_whole(self, created: datetime, seq: int) -> None:
        """Create the memory of a session without memory records; its last seq is set at the end of the session."""
        whole = whole_memory_of(self.session_id, seq, created)
        self._ranges = [(0, 0, whole["_id"])]
        self._uncounted[whole["_id"]] = whole

    def _add_summary(self, record: Document, line: int) -> None:
        self._branches.add_summary(record, line)
        last_message = self._uuids.find(record["lastSeq"])
        if last_message is None and "lastMessageUuid" not in record:
            raise TransferError(
                f"line {line}: lastSeq is {record['lastSeq']}, which no message of the session has in this file: give"
                " lastMessageUuid, the uuid of the last message that the summary covers"
            )
        summary = summary_of(record, last_message, self._at)
        if "tokenCount" not in record:
            summary["tokenCount"] = self._tokens.count(record["content"])
        self._contents.summaries.append(summary)

    def document(self, line: int) -> SessionDocument:
        """Return the session's document, after all its records, and hold the memories that waited for their counts.

        Unless the session is `counted`, call `count_tokens` before it is stored.

        Raises:
            TransferError: a count of the session record differs from the records of the file.
        """
        if self.divided or "tokenCount" in self._recorded:
            self.count_tokens()
        self._contents.memories += self._uncounted.values()
        counted = {
            "lastSeq": max(self._last_seq, self._ranges[-1][1] if self._ranges else 0),
            "messageCount": self._message_count,
            "tokenCount": self._token_count,
            "summarySeq": self._branches.summary_seq,
        }
        for name, value in counted.items():
            recorded: Any = self._recorded.get(name, value)
            if recorded < value if name == "lastSeq" else recorded != value:
                raise TransferError(
                    f"line {line}: session {shown(self.session_id)} ends here with {name} {value:,}, and its session"
                    f" record says {recorded:,}: leave {name} out to have it counted"
                )
        created = self._recorded.get("createdAt") or self._first_at or self._at
        found: SessionDocument = {
            "_id": self.session_id,
            "uuid": derived_uuid("session", self.session_id),
            "metadata": {},
            "createdAt": created,
            "updatedAt": max(self._last_at or created, created),
            "lastSeq": 0,
            "messageCount": 0,
            "tokenCount": 0,
            "summarySeq": 0,
        }
        recorded = {name: value for name, value in self._recorded.items() if name != "sessionId"}
        return cast("SessionDocument", {**found, **counted, **recorded})
