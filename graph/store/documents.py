"""The stored documents of each collection, and the types of which they are made.

A type lists every field of a whole document; a field that some documents lack is `NotRequired`. A read with a
projection returns only the requested fields.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NotRequired, TypeAlias, TypedDict

from graph.store.traced import traced

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"
"""A value of JSON."""

JSONObject: TypeAlias = dict[str, JSON]

Document: TypeAlias = dict[str, Any]
"""A document whose fields no type lists."""

AnyDocument: TypeAlias = Mapping[str, Any]
"""A document of any collection."""


class EnrichmentState(StrEnum):
    """The state of the extraction of a message's entities."""

    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"


class MatchDocument(TypedDict):
    """A mention: character offsets into the message's content, end exclusive."""

    start: int
    end: int
    text: str
    messageId: NotRequired[str]
    """Added when matches of several messages are read together."""
    wide: NotRequired[int]
    """Number of characters before the match with two units of UTF-16; missing for 0."""


class EntityDocument(TypedDict):
    """An entity within one message."""

    key: str
    name: str
    label: str
    matches: list[MatchDocument]
    """In the content."""
    inTools: NotRequired[int]
    """The number of mentions in the arguments and results of tools; missing for 0."""


def mention_count(entity: EntityDocument) -> int:
    """Return the number of mentions of an entity in a message."""
    return len(entity["matches"]) + entity.get("inTools", 0)


class EnrichmentDocument(TypedDict):
    """The state of the extraction of a message's entities, with its lease."""

    state: str
    attempts: int
    dueAt: NotRequired[datetime]
    """While pending: the time from which the message may be claimed, or the end of the current lease."""
    lease: NotRequired[str]
    together: NotRequired[int]
    """The number of messages that were claimed together."""
    importedDueAt: NotRequired[datetime]
    """The later `dueAt` of a message whose import is running."""
    at: NotRequired[datetime]
    """The time of the end of the enrichment."""
    reason: NotRequired[str]
    trace: NotRequired[str]
    """While pending: see `Traced`."""
    """Of the last failure."""


class MessageDocument(TypedDict):
    """One message of a session."""

    _id: str
    sessionId: str
    memoryId: str
    seq: int
    role: str
    content: str
    metadata: JSONObject
    tokenCount: int
    entities: list[EntityDocument]
    enrichment: EnrichmentDocument
    createdAt: datetime
    """The time of the message; `seq` is the order of arrival, independent of the times."""
    updatedAt: datetime
    editedAt: NotRequired[datetime]
    """The time of the last edit; only edited messages are in the index for subscribers."""
    name: NotRequired[str]
    """The name of the speaker, in addition to the role."""
    toolCallId: NotRequired[str]
    """The call that the message answers."""
    parts: NotRequired[list[JSONObject]]
    toolCalls: NotRequired[list[str]]
    """The ids of the tool calls in its parts."""
    toolResults: NotRequired[list[str]]
    """The ids of the tool calls that the message answers."""
    revision: NotRequired[int]
    sessionRevision: NotRequired[int]
    """The revision of the session after the add, or after the last edit of the message."""
    partOfMany: NotRequired[bool]
    """See `Stamp`; of the last edit."""
    status: NotRequired[str]  # a `MessageStatus`, of a message that was started as a stream
    branch: NotRequired[int]
    """The number of its branch; missing for 0."""


class MessagePlace(TypedDict):
    """The place of a message."""

    _id: str
    sessionId: str
    seq: int


class OwnedMessage(MessagePlace):
    """The place of a message, and its memory."""

    memoryId: str


class RecallDocument(OwnedMessage):
    """The vector and the terms of a message for searches. Until `model` is set, the message waits for its vector.

    A document with `failure` and without `vector` can't be embedded with this model. A search reads the content of a
    message only if its `terms` are missing.
    """

    dueAt: datetime
    """The time from which a worker may claim the message; with a vector, a worker with another model."""
    trace: NotRequired[str]
    """Until there is a vector: see `Traced`."""
    model: NotRequired[str]
    vector: NotRequired[bytes]
    """8-bit integers."""
    scale: NotRequired[float]
    """The factor from the integers to the vector of length 1."""
    layout: NotRequired[int]
    """The version of the next three fields, see `store.vectors.LAYOUT`."""
    language: NotRequired[str]
    terms: NotRequired[bytes]  # of the content: pairs of little-endian 32-bit numbers, a hash and its frequency
    question: NotRequired[bool]
    ofTools: NotRequired[bool]
    """Whether the vector and the terms include the tools' arguments and results."""
    at: NotRequired[datetime]
    """The time at which the vector was stored, by MongoDB's clock: searches read later ones."""
    lease: NotRequired[str]
    attempts: NotRequired[int]
    failure: NotRequired[str]


class MentioningMessage(MessagePlace):
    """The fields of a message that its session's entities are counted from."""

    createdAt: datetime
    entities: list[EntityDocument]


class MessageChanges(TypedDict, total=False):
    """New values of a message's fields."""

    role: str
    content: str
    name: str
    toolCallId: str
    parts: list[JSONObject]
    toolCalls: list[str]
    toolResults: list[str]
    metadata: JSONObject
    tokenCount: int
    entities: list[EntityDocument]
    enrichment: EnrichmentDocument
    updatedAt: datetime
    editedAt: datetime
    revision: int
    sessionRevision: int
    partOfMany: bool
    status: str


class MemoryDocument(TypedDict):
    """A persisted memory, stored by one add."""

    _id: str
    sessionId: str
    firstSeq: int
    lastSeq: int
    tokenCount: int
    metadata: JSONObject
    createdAt: datetime
    sessionRevision: NotRequired[int]
    """The revision of the session after the add."""
    idempotencyKey: NotRequired[str]
    payloadDigest: NotRequired[str]
    replacesFrom: NotRequired[int]
    """The `seq` of the first message of the session that the memory's messages replaced."""


class Summarising(TypedDict):
    """The due summary of a session, with its lease."""

    dueAt: datetime
    attempts: int
    lease: NotRequired[str]
    trace: NotRequired[str]


class BranchDocument(TypedDict):
    """A branch of a session's messages; see `graph.store.tree.branches`."""

    parent: int
    """The number of the branch that it begins in; 0 for branch 0."""
    after: int
    """The `seq` of the message that its first message follows; 0 for the beginning of the session."""
    first: int
    """The `seq` of its first message, which may be deleted."""
    last: int
    """The `seq` of its last message; `after` while it has no message."""


class HeadDocument(TypedDict):
    """The place of the last message of the conversation as its readers see it."""

    branch: int
    seq: int
    """0 for the place before the first message."""


class ForkOriginDocument(TypedDict):
    """The session that another one is a fork of, and the number of the last message that was copied."""

    sessionId: str
    seq: int


class SessionDocument(TypedDict):
    """A conversation."""

    _id: str
    uuid: str
    metadata: JSONObject
    createdAt: datetime
    updatedAt: datetime
    lastSeq: int
    """The greatest `seq` of the session's messages, deleted ones included."""
    messageCount: int
    tokenCount: int
    summarySeq: int
    """The `seq` of the last summarised message."""
    userId: NotRequired[str]
    erasedSeq: NotRequired[int]
    """The `seq` of the last erased message; messages up to it are invisible."""
    summarising: NotRequired[Summarising]
    number: NotRequired[int]
    """The number by which Zep's clients page."""
    revision: NotRequired[int]
    """Grows with each change that a caller makes of the session or its messages."""
    title: NotRequired[str]
    titleWords: NotRequired[list[str]]
    archived: NotRequired[bool]
    readSeq: NotRequired[int]
    """The `seq` up to which the session's user has read."""
    forkedFrom: NotRequired[ForkOriginDocument]
    expiresAt: NotRequired[datetime]
    """From this time on, the session is as deleted."""
    retentionDays: NotRequired[int]
    """The retention of the session's user."""
    branches: NotRequired[list[BranchDocument]]
    """By number; missing while the messages form one line that ends with the newest one."""
    head: NotRequired[HeadDocument]
    """Stored with `branches`."""


class SessionChanges(TypedDict, total=False):
    """New values of a session's fields; None removes one."""

    userId: str
    metadata: JSONObject
    updatedAt: datetime
    revision: int
    title: str
    titleWords: list[str] | None
    archived: bool
    expiresAt: datetime | None


class SummaryDocument(TypedDict):
    """A rolling summary of the messages in a range of a session."""

    _id: str
    sessionId: str
    firstSeq: int
    lastSeq: int
    lastMessageUuid: str
    content: str
    tokenCount: int
    source: str
    entities: list[EntityDocument]
    createdAt: datetime
    fellBackReason: NotRequired[str]
    """The reason why the language model did not write the summary."""
    stale: NotRequired[bool]
    """Whether a covered message has changed since."""
    branch: NotRequired[int]
    """The branch of the last covered message; missing for 0."""


class UserDocument(TypedDict):
    """A person or account that sessions belong to."""

    _id: str
    uuid: str
    metadata: JSONObject
    createdAt: datetime
    updatedAt: datetime
    email: NotRequired[str]
    firstName: NotRequired[str]
    lastName: NotRequired[str]
    number: NotRequired[int]
    """The number by which Zep's clients page."""
    retentionDays: NotRequired[int]
    """The days after its last change from which on a session of the user is as deleted."""
    sessionsGiven: NotRequired[int]
    """The number of writes that gave the user a session or items; each conflicts with the user's deletion."""


class DeletionKind(StrEnum):
    """The object of a deletion."""

    MESSAGE = "MESSAGE"
    CONTENTS = "CONTENTS"
    SESSION = "SESSION"


class DeletionDocument(TypedDict):
    """The announcement of a deletion to subscribers, connected or coming back."""

    _id: str
    kind: str
    sessionId: str
    at: datetime
    expiresAt: datetime
    """When MongoDB removes this document."""
    userId: NotRequired[str]
    """Of a deleted session: its user."""
    uuid: NotRequired[str]
    """Of a deleted message."""
    seq: NotRequired[int]
    """The number of a deleted message, or up to which the messages of a session were deleted."""
    sessionRevision: NotRequired[int]
    """Of deleted messages, see `Stamp`."""
    partOfMany: NotRequired[bool]


@dataclass(frozen=True, slots=True)
class Origin:
    """The identity of an imported session or user.

    Attributes:
        uuid: the UUID in canonical form.
        created_at: the time of its creation; UTC, in whole milliseconds.
    """

    uuid: str
    created_at: datetime


def new_uuid() -> str:
    """Return a random UUID in canonical form."""
    return str(uuid.uuid4())


def now() -> datetime:
    """Return the current time in MongoDB's precision: UTC, in whole milliseconds."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def pending(at: datetime) -> EnrichmentDocument:
    """Return the enrichment state of a message with new content, which the present request or job writes."""
    state: EnrichmentDocument = {"state": EnrichmentState.PENDING.value, "attempts": 0, "dueAt": at}
    if trace := traced().get("trace"):
        state["trace"] = trace
    return state
