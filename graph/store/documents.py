"""The documents of each collection, as they are stored, and the types of which they are made.

A type lists every field of a whole document; one that some documents lack is `NotRequired`. A read with a projection
gives only the fields that were asked for.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NotRequired, TypeAlias, TypedDict

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"
"""A value of JSON."""

JSONObject: TypeAlias = dict[str, JSON]

Document: TypeAlias = dict[str, Any]
"""A document whose fields no type lists."""

AnyDocument: TypeAlias = Mapping[str, Any]
"""A document of any collection."""


class EnrichmentState(StrEnum):
    """Where the extraction of a message's entities stands."""

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


class EntityDocument(TypedDict):
    """An entity within one message."""

    key: str
    name: str
    label: str
    matches: list[MatchDocument]


class EnrichmentDocument(TypedDict):
    """How far the extraction of a message's entities is."""

    state: str
    attempts: int
    dueAt: NotRequired[datetime]
    """While pending: when it may be claimed, or when the lease of the worker that has it ends."""
    lease: NotRequired[str]
    together: NotRequired[int]
    """How many messages were claimed together."""
    importedDueAt: NotRequired[datetime]
    """Of a message whose import is under way: `dueAt` as it will be."""
    at: NotRequired[datetime]
    """When it ended."""
    reason: NotRequired[str]
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
    """When it was said: `seq` is the order in which messages arrived, whatever their times are."""
    updatedAt: datetime
    editedAt: NotRequired[datetime]
    """When it was last edited: only then is it in the index that subscribers catch up with."""
    name: NotRequired[str]
    """The speaker, where the role does not say who it is."""
    toolCallId: NotRequired[str]
    """The call that the message answers."""


class MessagePlace(TypedDict):
    """Where a message stands."""

    _id: str
    sessionId: str
    seq: int


class OwnedMessage(MessagePlace):
    """Where a message stands, and what it was stored with."""

    memoryId: str


class RecallDocument(OwnedMessage):
    """What a search compares of a message beside its words. Until `model` is set, the vector is still to come.

    A document without `vector` and with `failure` has none with this model.
    """

    dueAt: datetime
    """When it may be claimed: of one that has a vector, by a worker with another model."""
    model: NotRequired[str]
    vector: NotRequired[bytes]
    """Whole numbers of 8 bits."""
    scale: NotRequired[float]
    """What the numbers are multiplied by."""
    at: NotRequired[datetime]
    """When the vector was stored, by the clock of MongoDB: searches look for later ones."""
    lease: NotRequired[str]
    attempts: NotRequired[int]
    failure: NotRequired[str]


class MentioningMessage(MessagePlace):
    """The fields of a message that its session's entities are counted from."""

    createdAt: datetime
    entities: list[EntityDocument]


class MessageChanges(TypedDict, total=False):
    """Fields of a message that get another value."""

    role: str
    content: str
    name: str
    toolCallId: str
    metadata: JSONObject
    tokenCount: int
    entities: list[EntityDocument]
    enrichment: EnrichmentDocument
    updatedAt: datetime
    editedAt: datetime


class MemoryDocument(TypedDict):
    """What one add persisted."""

    _id: str
    sessionId: str
    firstSeq: int
    lastSeq: int
    tokenCount: int
    metadata: JSONObject
    createdAt: datetime
    idempotencyKey: NotRequired[str]
    payloadDigest: NotRequired[str]


class Summarising(TypedDict):
    """That a summary of a session is due, and which worker writes it."""

    dueAt: datetime
    attempts: int
    lease: NotRequired[str]


class SessionDocument(TypedDict):
    """A conversation."""

    _id: str
    uuid: str
    metadata: JSONObject
    createdAt: datetime
    updatedAt: datetime
    lastSeq: int
    """The greatest number that was given to a message."""
    messageCount: int
    tokenCount: int
    summarySeq: int
    """The number up to which messages are summarised."""
    userId: NotRequired[str]
    erasedSeq: NotRequired[int]
    """The number up to which messages count as gone."""
    summarising: NotRequired[Summarising]
    number: NotRequired[int]
    """What Zep's clients page by."""


class SessionChanges(TypedDict, total=False):
    """Fields of a session that get another value."""

    userId: str
    metadata: JSONObject
    updatedAt: datetime


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
    """Why the language model did not write it, where one should have."""
    stale: NotRequired[bool]
    """Whether a covered message has changed since."""


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
    """What Zep's clients page by."""
    sessionsGiven: NotRequired[int]
    """Counts writes that gave the user a session, so that they exclude the user's deletion."""


class MentionPlace(TypedDict):
    """Where a session mentions an entity."""

    seq: int
    at: datetime
    name: str


class OwnMentions(TypedDict):
    """The mentions of an entity in a session by its own name, without those by its short names."""

    count: int
    first: MentionPlace
    last: MentionPlace


class UserMentionPlace(TypedDict):
    """Where a user's sessions mention an entity; of the last place, the name is not kept."""

    at: datetime
    sessionId: str
    name: NotRequired[str]


class EntityCountDocument(TypedDict):
    """An entity of a session or a user in the collection `entities`, with how often it is mentioned.

    `own`, `firstSeq`, `keys` and `aliasOf` are of sessions' entities alone, `first` and `last` of users'. One document
    of each session has neither `key` nor `label`: changes of the session's entities write it to exclude each other.
    """

    _id: str
    owner: str
    key: str
    label: str
    sessionId: NotRequired[str]
    userId: NotRequired[str]
    own: NotRequired[OwnMentions]
    name: NotRequired[str]
    mentionCount: NotRequired[int]
    rank: NotRequired[int]
    firstSeq: NotRequired[int]
    firstSeenAt: NotRequired[datetime]
    lastSeenAt: NotRequired[datetime]
    keys: NotRequired[list[str]]
    """The keys of the names that it stands for, where it stands for more than its own."""
    aliasOf: NotRequired[str]
    """The key of the longer name that a short name stands for."""
    first: NotRequired[UserMentionPlace]
    last: NotRequired[UserMentionPlace]
    version: NotRequired[int]


class ErasureDocument(TypedDict):
    """A job that takes away what was deleted of a session or a user, batch after batch."""

    _id: str
    uuid: str
    dueAt: datetime
    lastSeq: int
    sessionId: NotRequired[str]
    userId: NotRequired[str]
    entities: NotRequired[bool]
    gone: NotRequired[bool]
    whole: NotRequired[bool]
    importing: NotRequired[str]
    """The name of an import, while the job is a part of it."""


class HandoverDocument(TypedDict):
    """A job that counts the entities of a session for the user that it was given to, batch after batch."""

    _id: str
    uuid: str
    dueAt: datetime


class DeletionKind(StrEnum):
    """The object of a deletion."""

    MESSAGE = "MESSAGE"
    CONTENTS = "CONTENTS"
    SESSION = "SESSION"


class DeletionDocument(TypedDict):
    """The announcement of a deletion to subscribers, those of today and those who come back."""

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


class CounterDocument(TypedDict):
    """The last number that was given to a session or a user."""

    _id: str
    last: int


class ServiceKeyDocument(TypedDict):
    """A service key: its hash, and what it allows."""

    _id: str
    name: str
    scope: str
    hash: str
    createdAt: datetime
    lastUsedAt: NotRequired[datetime]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a session or user brings along that was made elsewhere.

    Attributes:
        uuid: in canonical form.
        created_at: when it was made there; UTC, in whole milliseconds.
    """

    uuid: str
    created_at: datetime


def new_uuid() -> str:
    """A random UUID in its canonical text form."""
    return str(uuid.uuid4())


def now() -> datetime:
    """The time, as MongoDB can hold it: UTC, in whole milliseconds."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def pending(at: datetime) -> EnrichmentDocument:
    """The enrichment state of a message whose content is new."""
    return {"state": EnrichmentState.PENDING.value, "attempts": 0, "dueAt": at}
