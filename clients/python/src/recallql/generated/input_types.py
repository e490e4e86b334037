from datetime import datetime
from typing import Any, Optional
from uuid import UUID

from pydantic import Field

from .base_model import BaseModel
from .enums import OrderDirection, SessionOrderField


class SessionOrder(BaseModel):
    """The order of a list of sessions. A cursor is valid only with the order of its page."""

    field: SessionOrderField = SessionOrderField.CREATED_AT
    "What to go by."
    direction: OrderDirection = OrderDirection.ASC
    "Which end comes first."


class MessageFilter(BaseModel):
    """The messages to find or list: each meets all given conditions."""

    roles: Optional[list[str]] = None
    "Only messages of one of these roles."
    session_ids: Optional[list[str]] = Field(alias="sessionIds", default=None)
    "Only messages of one of these sessions; for searches alone."
    since: Optional[datetime] = None
    "Only messages that were created at this time or later."
    until: Optional[datetime] = None
    "Only messages that were created before this time."
    metadata: Optional[list["MetadataFilter"]] = None
    "Only messages whose metadata meets all these conditions, with the bounds of `SessionFilter`."
    has_entity: Optional[str] = Field(alias="hasEntity", default=None)
    "Only messages with an entity of this name, in upper or lower case, once their entities are there. In a session where a short name stands for a full one, each finds the messages with either, as in `Session.entities`."
    names: Optional[list[str]] = None
    "Only messages of one of these speakers; for `Session.messages` alone."


class MetadataFilter(BaseModel):
    """A condition on the value at a path in metadata: give path or segments, and one of equals, contains and exists."""

    path: Optional[str] = None
    "Keys from the outermost one, with dots between them: `customer.plan`."
    segments: Optional[list[str]] = None
    'The path as a list of keys, which may have dots or be empty. In a list, a whole number is the index of an item, from 0: `["tools", "0", "$ref"]`.'
    equals: Optional[Any] = None
    "The JSON value at the path; numbers are compared by value, and objects independent of the order of their keys. null matches a null, not an absent value."
    contains: Optional[Any] = None
    "A JSON value that must be an item of the list at the path."
    exists: Optional[bool] = None
    "Whether a value, null included, must or must not be at the path."


class ItemFilter(BaseModel):
    """A condition on the value at a path in an item: give path or segments, and one of the comparisons. Numbers are in an order with numbers, and texts with texts, by code points."""

    path: Optional[str] = None
    "Keys from the outermost one, with dots between them: `customer.plan`."
    segments: Optional[list[str]] = None
    "The path as a list of keys, which may have dots or be empty. In a list, a whole number is the index of an item, from 0."
    equals: Optional[Any] = None
    "The JSON value at the path; numbers are compared by value, and objects independent of the order of their keys. null matches a null, not an absent value."
    not_equals: Optional[Any] = Field(alias="notEquals", default=None)
    "A JSON value that is not at the path; an absent value meets this."
    greater_than: Optional[Any] = Field(alias="greaterThan", default=None)
    "A number or text that the value is greater than."
    at_least: Optional[Any] = Field(alias="atLeast", default=None)
    "A number or text that the value is equal to or greater than."
    less_than: Optional[Any] = Field(alias="lessThan", default=None)
    "A number or text that the value is less than."
    at_most: Optional[Any] = Field(alias="atMost", default=None)
    "A number or text that the value is equal to or less than."
    exists: Optional[bool] = None
    "Whether a value, null included, must or must not be at the path."


class SessionFilter(BaseModel):
    """The sessions to list: each meets all given conditions."""

    user_id: Optional[str] = Field(alias="userId", default=None)
    "Only sessions of this user."
    created_at: Optional["DateTimeRange"] = Field(alias="createdAt", default=None)
    "Only sessions that were created in this range."
    updated_at: Optional["DateTimeRange"] = Field(alias="updatedAt", default=None)
    "Only sessions that last changed within this span."
    archived: Optional[bool] = None
    "true: only archived sessions; false: only other sessions."
    named: Optional[str] = None
    "Only sessions whose id begins with this text, in the same case, or whose title, if it was set, has for each word of the text a word that begins with it, independent of case: at most 10 words and 512 bytes. Indexes find them. A default title is found by `search`, as its message is."
    metadata: Optional[list["MetadataFilter"]] = None
    "Only sessions whose metadata meets all these conditions: at most 20, which compare at most 64 texts, numbers, booleans, nulls and empty objects or lists in all filters of an operation. An index finds texts, numbers and booleans at keys without $ and dots; a filter without such a condition is slower."


class DateTimeRange(BaseModel):
    """A span of time, without a limit on a side that is left out."""

    since: Optional[datetime] = None
    "The start, included."
    until: Optional[datetime] = None
    "The end, excluded."


class AddMemoryInput(BaseModel):
    """Messages to add to a session."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session, at most 512 bytes. An unknown session is created."
    messages: list["MessageInput"]
    "1 to 1,000 messages, in order."
    metadata: Optional[Any] = None
    "Any JSON object, stored with the memory and merged into the session's metadata."
    user_id: Optional[str] = Field(alias="userId", default=None)
    "Your own id of the user that the session belongs to. The user can't change later."
    idempotency_key: Optional[str] = Field(alias="idempotencyKey", default=None)
    "A retry with the same key changes nothing and returns the result of the first call. With another payload the key is refused (CONFLICT)."
    expected_revision: Optional[int] = Field(alias="expectedRevision", default=None)
    "The `Session.revision` that you read, 0 for a new session. CONFLICT if the session changed since, with the current one in `extensions.revision`. A retry with the same idempotencyKey is no conflict."
    expected_uuid: Optional[UUID] = Field(alias="expectedUuid", default=None)
    "The `Session.uuid` that you read. CONFLICT if the session is another one, which was made with the same id after a deletion: its revisions begin again, and may be equal."
    expires_at: Optional[datetime] = Field(alias="expiresAt", default=None)
    "A time to come: from then on the session is as deleted, and workers erase it. null removes the expiry; without the field, the session keeps the one that it has."
    await_entities: Optional[bool] = Field(alias="awaitEntities", default=False)
    "Wait for the entities, at most some seconds; `enrichment` has their state afterwards."


class MessageInput(BaseModel):
    """A message to add."""

    uuid: Optional[UUID] = None
    "Your own UUID for the message. A UUID of a stored message updates that message in place. A UUID that an end user chooses identifies one of that user's messages alone: the message's `uuid` is derived from it, and the user may give either one."
    role: str
    "The role of the speaker, at most 256 bytes: human, ai, user, assistant, tool, … End users may send only the configured roles, by default user and human."
    content: Optional[str] = None
    "The text, at most 1 MiB, stored unchanged. Required without parts; by default the text of the parts of type `text`, `input_text` or `output_text`, joined by line breaks."
    metadata: Optional[Any] = None
    "Any JSON object, at most 256 KiB."
    name: Optional[str] = None
    "The name of the speaker, in addition to the role; at most 256 bytes."
    tool_call_id: Optional[str] = Field(alias="toolCallId", default=None)
    "The tool call that the message answers, at most 512 bytes."
    parts: Optional[list[Any]] = None
    "The content in the form of model APIs: JSON objects with a `type` (`text`, `tool-call`, `image`, …), stored unchanged; at most 1,000 parts, 131,072 values and 1 MiB."
    created_at: Optional[datetime] = Field(alias="createdAt", default=None)
    "The time of the message, not in the future, stored in milliseconds. By default, and for a time up to a minute ahead, the time of arrival. Messages stay in the order of their arrival, `seq`, independent of their times. A stored message keeps its time."
    parent_uuid: Optional[UUID] = Field(alias="parentUuid", default=None)
    "UUID of the message that this one follows: any message of the session, or one before in this call. By default the message before in this call, and for the first one the session's `head`. The nil UUID, of zeros alone, stands for the beginning of the session. A message that follows another one than the last of its branch begins a branch; a session has at most 1,000 branches. The last message of the call becomes the `head`. A stored message keeps its place."


class DeleteMemoryInput(BaseModel):
    """The session whose memory is to be deleted."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session."


class CreateSessionInput(BaseModel):
    """A session to create."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session, at most 512 bytes."
    user_id: Optional[str] = Field(alias="userId", default=None)
    "Your own id of the user that the session belongs to; an unknown user is created. It can't change later."
    metadata: Optional[Any] = None
    "Any JSON object, at most 256 KiB."
    title: Optional[str] = None
    "Its title, at most 1,024 bytes."
    expires_at: Optional[datetime] = Field(alias="expiresAt", default=None)
    "A time to come: from then on, the session is as deleted."


class UpdateSessionInput(BaseModel):
    """Changes of a session. An absent field stays unchanged, and so does one that is null, except for `expiresAt`."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session."
    user_id: Optional[str] = Field(alias="userId", default=None)
    "Assign a session without a user to this user; the user can't change later."
    metadata: Optional[Any] = None
    "A JSON Merge Patch (RFC 7396) for the metadata: objects merge at every level, other values replace, and a null removes its key."
    title: Optional[str] = None
    "Its title, at most 1,024 bytes; an empty text brings the default back."
    archived: Optional[bool] = None
    "Whether the session is archived."
    expires_at: Optional[datetime] = Field(alias="expiresAt", default=None)
    "A time to come: from then on, the session is as deleted. Null removes it; an absent field does not change it."
    head: Optional[UUID] = None
    "UUID of the message that the conversation is to end with: one of the session's messages. The memory, the context, searches and summaries then follow the path from the first message to it, and the next message comes after it."
    expected_revision: Optional[int] = Field(alias="expectedRevision", default=None)
    "The `Session.revision` that you read. CONFLICT if the session changed since, with the current one in `extensions.revision`."
    expected_uuid: Optional[UUID] = Field(alias="expectedUuid", default=None)
    "The `Session.uuid` that you read. CONFLICT if the session is another one, which was made with the same id after a deletion: its revisions begin again, and may be equal."


class DeleteSessionInput(BaseModel):
    """The session to delete."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session."


class UpdateMessageInput(BaseModel):
    """Changes of a message. A field that is absent or null stays unchanged."""

    uuid: UUID
    "UUID of the message."
    role: Optional[str] = None
    "The role of the speaker, at most 256 bytes."
    content: Optional[str] = None
    "The text, at most 1 MiB. Entities are extracted from a new text again; until then the message has no entities."
    parts: Optional[list[Any]] = None
    "The parts, which replace all that there are; without content, the content becomes their text. An empty list takes them away. A message with parts gets another role or content with parts alone."
    metadata: Optional[Any] = None
    "A JSON Merge Patch (RFC 7396) for the metadata: objects merge at every level, other values replace, and a null removes its key."
    name: Optional[str] = None
    "The speaker, at most 256 bytes."
    tool_call_id: Optional[str] = Field(alias="toolCallId", default=None)
    "The tool call that the message answers, at most 512 bytes."


class DeleteMessageInput(BaseModel):
    """The message to delete."""

    uuid: UUID
    "UUID of the message."


class PopMessageInput(BaseModel):
    """The session whose newest message is to be deleted."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session."
    expected_revision: Optional[int] = Field(alias="expectedRevision", default=None)
    "The `Session.revision` that you read. CONFLICT if the session changed since, with the current one in `extensions.revision`. It makes a retry safe: without it, each call deletes a message."
    expected_uuid: Optional[UUID] = Field(alias="expectedUuid", default=None)
    "The `Session.uuid` that you read. CONFLICT if the session is another one, which was made with the same id after a deletion: its revisions begin again, and may be equal."


class ReplaceFromInput(BaseModel):
    """Messages that replace the newest ones of a session."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session."
    seq: int
    "At least 1. Each message on the path to `head` with this `seq` or a greater one is deleted, at most 1,000; a `seq` above the newest message's deletes no message."
    messages: list["MessageInput"]
    "1 to 1,000 messages, in order. Their `seq` follows the greatest one that the session ever had. A UUID of a message that the session has is refused (CONFLICT)."
    idempotency_key: Optional[str] = Field(alias="idempotencyKey", default=None)
    "A retry with the same key changes nothing and returns the result of the first call. With another payload the key is refused (CONFLICT). The UUIDs of all messages have the same effect."
    expected_revision: Optional[int] = Field(alias="expectedRevision", default=None)
    "The `Session.revision` that you read. CONFLICT if the session changed since, with the current one in `extensions.revision`. A retry with the same idempotencyKey is no conflict."
    expected_uuid: Optional[UUID] = Field(alias="expectedUuid", default=None)
    "The `Session.uuid` that you read. CONFLICT if the session is another one, which was made with the same id after a deletion: its revisions begin again, and may be equal."


class MarkReadInput(BaseModel):
    """The messages of a session that were read."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session."
    seq: int
    "The `seq` of the last message that was read, at least 1 and at most the newest message's. A smaller one than `Session.readSeq` changes nothing."


class ForkSessionInput(BaseModel):
    """The session to fork."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session with the messages."
    through_seq: int = Field(alias="throughSeq")
    "The `seq` of the last message to copy, at least 1 and at most the newest message's. At most 200,000 messages of 1 GiB together are copied."
    new_session_id: str = Field(alias="newSessionId")
    "Your own id of the new session, at most 512 bytes."
    user_id: Optional[str] = Field(alias="userId", default=None)
    "The user of the new session; by default, and at most, the user of the source."


class StartMessageInput(BaseModel):
    """A message whose text comes in pieces."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session, at most 512 bytes. An unknown session is created."
    uuid: Optional[UUID] = None
    "Your own UUID for the message. A repeated call with the same UUID, role, name and toolCallId changes nothing; a UUID in use is refused otherwise (CONFLICT)."
    role: str
    "The role of the speaker, at most 256 bytes. End users may send only the configured roles."
    name: Optional[str] = None
    "The name of the speaker, at most 256 bytes."
    tool_call_id: Optional[str] = Field(alias="toolCallId", default=None)
    "The tool call that the message answers, at most 512 bytes."
    metadata: Optional[Any] = None
    "Any JSON object, at most 256 KiB."
    user_id: Optional[str] = Field(alias="userId", default=None)
    "Your own id of the user that the session belongs to."
    parent_uuid: Optional[UUID] = Field(alias="parentUuid", default=None)
    "UUID of the message that this one follows, as in `MessageInput`; by default the session's `head`."


class AppendMessageInput(BaseModel):
    """The next pieces of a message."""

    uuid: UUID
    "UUID of the message."
    pieces: list["PieceInput"]
    "1 to 1,000 pieces with consecutive indexes. A message has at most 20,000 pieces, with texts and data of 1 MiB together."


class PieceInput(BaseModel):
    """A piece of a message."""

    index: int
    "Place of the piece in the message: 0, 1, 2, …"
    text: str
    "The text of the piece, at most 64 KiB."
    data: Optional[str] = None
    "A text for readers of `messageStream`, at most 64 KiB: the event of a model API as JSON, for example. It is no part of the content, and goes with the pieces."


class FinishMessageInput(BaseModel):
    """The end of a message."""

    uuid: UUID
    "UUID of the message."
    content: Optional[str] = None
    "The text, at most 1 MiB; by default the text of the parts, or else of the pieces."
    parts: Optional[list[Any]] = None
    "The content in the form of model APIs, as `addMemory` takes it."
    metadata: Optional[Any] = None
    "A JSON Merge Patch (RFC 7396) for the metadata: objects merge at every level, other values replace, and a null removes its key."


class AbortMessageInput(BaseModel):
    """The message to abort."""

    uuid: UUID
    "UUID of the message."


class SetTypingInput(BaseModel):
    """A notice that you write in a session."""

    session_id: str = Field(alias="sessionId")
    "Your own id of the session."
    typing: bool = True
    "False once the writer has stopped."
    name: Optional[str] = None
    "The name of the writer, at most 256 bytes."


class CreateUserInput(BaseModel):
    """A user to create."""

    user_id: str = Field(alias="userId")
    "Your own id of the user, at most 512 bytes."
    email: Optional[str] = None
    "The email address, at most 320 bytes; stored unchanged."
    first_name: Optional[str] = Field(alias="firstName", default=None)
    "The first name, at most 1,024 bytes."
    last_name: Optional[str] = Field(alias="lastName", default=None)
    "The last name, at most 1,024 bytes."
    retention_days: Optional[int] = Field(alias="retentionDays", default=None)
    "Days after its last change from which on a session of the user is as deleted, 1 to 36,500. By default, and at most, the server's retention. FORBIDDEN for end users."
    metadata: Optional[Any] = None
    "Any JSON object, at most 256 KiB."


class UpdateUserInput(BaseModel):
    """Changes of a user. An absent field stays unchanged."""

    user_id: str = Field(alias="userId")
    "Your own id of the user."
    email: Optional[str] = None
    "The email address; null removes it."
    first_name: Optional[str] = Field(alias="firstName", default=None)
    "The first name; null removes it."
    last_name: Optional[str] = Field(alias="lastName", default=None)
    "The last name; null removes it."
    retention_days: Optional[int] = Field(alias="retentionDays", default=None)
    "Days after its last change from which on a session of the user is as deleted, 1 to 36,500: those that it has, too, at once. Null, and a longer time, stand for the server's retention. FORBIDDEN for end users."
    metadata: Optional[Any] = None
    "A JSON Merge Patch (RFC 7396) for the metadata: objects merge at every level, other values replace, and a null removes its key."


class DeleteUserInput(BaseModel):
    """The user to delete."""

    user_id: str = Field(alias="userId")
    "Your own id of the user."


class PutItemsInput(BaseModel):
    """Items of a user to store."""

    user_id: str = Field(alias="userId")
    "Your own id of the user, at most 512 bytes; an unknown user is created."
    items: list["ItemInput"]
    "1 to 100 items, at different places."


class ItemInput(BaseModel):
    """An item to store."""

    namespace: list[str]
    "The labels of its namespace: 1 to 16, each of at most 256 bytes."
    key: str
    "Its key in the namespace, at most 512 bytes."
    value: Any
    "Any JSON object, at most 256 KiB."
    ttl: Optional[float] = None
    "Minutes until the item expires; `renewItems` begins them again."
    expires_at: Optional[datetime] = Field(alias="expiresAt", default=None)
    "A time to come: from then on, the item is as deleted. Not together with ttl."
    index: Optional[list[str]] = None
    "Paths to the texts by which a search finds the item, at most 20: `title`, `author.name`, `chapters[*].text`, `tags[0]`, `*`, or `$` for the whole value. Null for the whole value; empty for none. Of an item, 8 texts with 10,000 characters together are compared."
    expected_revision: Optional[int] = Field(alias="expectedRevision", default=None)
    "The `Item.revision` that you read, or 0 for an item that must not exist. CONFLICT otherwise, with the current one in `extensions.revision`."


class RenewItemsInput(BaseModel):
    """Items of a user to renew."""

    user_id: str = Field(alias="userId")
    "Your own id of the user."
    items: list["ItemPlace"]
    "The places of 1 to 100 items."


class ItemPlace(BaseModel):
    """The place of an item."""

    namespace: list[str]
    "The labels of its namespace."
    key: str
    "Its key in the namespace."


class DeleteItemsInput(BaseModel):
    """Items of a user to delete."""

    user_id: str = Field(alias="userId")
    "Your own id of the user."
    items: list["ItemPlace"]
    "The places of 1 to 100 items."


class RetryEnrichmentInput(BaseModel):
    """The failed messages to extract entities from again."""

    session_id: Optional[str] = Field(alias="sessionId", default=None)
    "All failed messages of a session."
    uuid: Optional[UUID] = None
    "One failed message."


MessageFilter.model_rebuild()
SessionFilter.model_rebuild()
AddMemoryInput.model_rebuild()
ReplaceFromInput.model_rebuild()
AppendMessageInput.model_rebuild()
PutItemsInput.model_rebuild()
RenewItemsInput.model_rebuild()
DeleteItemsInput.model_rebuild()
