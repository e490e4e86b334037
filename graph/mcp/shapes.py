"""The arguments and results of the tools."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MAX_CONTENT = 2_000
"""Maximum characters of a message's content in a result; longer contents end with an ellipsis."""


class NewMessage(BaseModel):
    """A message to store."""

    model_config = ConfigDict(extra="forbid")

    role: Annotated[str, Field(description="The speaker's role, such as user or assistant.")]
    content: Annotated[str, Field(description="The text.")]
    name: Annotated[str | None, Field(description="The speaker's name.")] = None
    uuid: Annotated[str | None, Field(description="A UUID of your choice: the same UUID is stored once.")] = None

    def as_input(self) -> dict[str, object]:
        """Return the `MessageInput` of the GraphQL API."""
        return self.model_dump(exclude_none=True)


class StoredMemory(BaseModel):
    """The messages that a call of `add_memory` stored."""

    session_id: str
    message_uuids: list[str]
    messages_in_session: int
    replayed: Annotated[bool, Field(description="Whether an earlier call had stored the same messages.")]


class FoundMessage(BaseModel):
    """A stored message."""

    uuid: str
    session_id: str
    seq: Annotated[int, Field(description="The place in the session, from 1.")]
    role: str
    name: str | None
    content: Annotated[str, Field(description=f"The text, cut after {MAX_CONTENT:,} characters.")]
    created_at: datetime

    @classmethod
    def of(cls, node: dict[str, Any], session_id: str | None = None) -> FoundMessage:
        """Return the message of a `Message` of the GraphQL API."""
        content = node["content"]
        return cls(
            uuid=node["uuid"],
            session_id=session_id if session_id is not None else node["session"]["sessionId"],
            seq=node["seq"],
            role=node["role"],
            name=node["name"],
            content=content if len(content) <= MAX_CONTENT else f"{content[:MAX_CONTENT]}…",
            created_at=node["createdAt"],
        )


class SearchHit(FoundMessage):
    """A message that a search found."""

    score: Annotated[float, Field(description="From 0 to 1; comparable within one result.")]


class SearchResult(BaseModel):
    """The messages that a search found, best first."""

    messages: list[SearchHit]
    next_cursor: Annotated[str | None, Field(description="Send it as `after` for the next messages.")]


class SessionEntry(BaseModel):
    """A session of a list."""

    session_id: str
    title: str | None
    user_id: str | None
    message_count: int
    created_at: datetime
    updated_at: datetime


class SessionList(BaseModel):
    """Sessions, the last changed first."""

    sessions: list[SessionEntry]
    next_cursor: Annotated[str | None, Field(description="Send it as `after` for the next sessions.")]


class MessageList(BaseModel):
    """Messages of a session, oldest first."""

    messages: list[FoundMessage]
    earlier_cursor: Annotated[str | None, Field(description="Send it as `before` for earlier messages.")]


class EntityEntry(BaseModel):
    """A person, place, organisation or other name that messages mention."""

    name: str
    label: Annotated[str, Field(description="The kind, such as PERSON, ORG or GPE.")]
    mention_count: int
    first_seen_at: datetime
    last_seen_at: datetime
    latest_messages: list[FoundMessage]


class EntityList(BaseModel):
    """The entities whose names contain the text."""

    entities: list[EntityEntry]


class Forgotten(BaseModel):
    """The deleted session or message."""

    session_id: str | None = None
    message_uuid: str | None = None
