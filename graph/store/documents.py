"""The documents of each collection, as the driver gives them: `DESIGN` of the data in types.

A read gives only the fields that were asked for, so every key may be absent from a document that was read.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias, TypedDict

Document: TypeAlias = dict[str, Any]


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


class EntityDocument(TypedDict):
    """An entity within one message."""

    key: str
    name: str
    label: str
    matches: list[MatchDocument]


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


def pending(at: datetime) -> Document:
    """The enrichment state of a message whose content is new."""
    return {"state": EnrichmentState.PENDING.value, "attempts": 0, "dueAt": at}
