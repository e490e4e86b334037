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
    importing: NotRequired[str]
    """The name of the import that the job belongs to."""


class RetentionDocument(TypedDict):
    """A job that copies the retention of a user to its sessions in batches."""

    _id: str
    uuid: str
    dueAt: datetime


class HandoverDocument(TypedDict):
    """A job that counts the entities of a session for its new user in batches."""

    _id: str
    uuid: str
    dueAt: datetime
