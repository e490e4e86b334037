"""The documents of jobs that run in batches."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict


class ErasureDocument(TypedDict):
    """A job that removes the deleted contents of a session or a user in batches."""

    _id: str
    uuid: str
    dueAt: datetime
    lastSeq: int
    sessionId: NotRequired[str]
    userId: NotRequired[str]
    entities: NotRequired[bool]
    gone: NotRequired[bool]
    whole: NotRequired[bool]
    forking: NotRequired[bool]
    """Whether the contents belong to a fork that is being made."""
    importing: NotRequired[str]
    """The name of the import that the job belongs to."""


class RetentionDocument(TypedDict):
    """A job that copies the retention of a user to its sessions in batches."""

    _id: str
    uuid: str
    dueAt: datetime


class ForkDocument(TypedDict):
    """A job that makes a fork of many messages; `_id` is the new session."""

    _id: str
    dueAt: datetime
    attempts: int
    sourceId: str
    sourceUuid: str
    """The source's UUID, which a later session with the same id does not have."""
    throughSeq: int
    path: list[list[int]] | None
    """The ranges of the path that is copied, or None of a session whose messages form one line."""
    total: int
    """The number of messages to copy, at the request."""
    copied: int
    userId: NotRequired[str]
    lease: NotRequired[str]
    made: NotRequired[bool]
    """Whether the new session exists, and its messages are to be made due for their enrichment."""
    cause: NotRequired[str]
    """The error that ended the last attempt; absent if its process ended."""
    failed: NotRequired[str]
    """Why the fork can't be made."""
    expiresAt: NotRequired[datetime]
    """When MongoDB removes a failed job."""


class HandoverDocument(TypedDict):
    """A job that counts the entities of a session for its new user in batches."""

    _id: str
    uuid: str
    dueAt: datetime
