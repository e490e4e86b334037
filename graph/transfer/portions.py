"""Portions of a file, each stored in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from graph.store.documents import SessionDocument, UserDocument
from graph.store.item_documents import ItemDocument
from graph.store.transfer.documents import Contents


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a transaction.

    Attributes:
        records: the number of records of the most frequent kind.
        size: bytes of the file.
        entities: the number of distinct entities; each is stored once for its session and once for its user.
    """

    records: int = 0
    size: int = 0
    entities: int = 0

    def plus(self, other: Load) -> Load:
        """Both together."""
        return Load(self.records + other.records, self.size + other.size, self.entities + other.entities)

    def reaches(self, most: Load) -> bool:
        """Whether the load is as large as `most` in any respect."""
        return self.records >= most.records or self.size >= most.size or self.entities >= most.entities

    def exceeds(self, most: Load) -> bool:
        """Whether the load is larger than `most` in any respect."""
        return self.records > most.records or self.size > most.size or self.entities > most.entities


@dataclass(frozen=True, slots=True)
class Users:
    """Users to store."""

    users: list[UserDocument]


@dataclass(frozen=True, slots=True)
class Items:
    """Items to store, few enough for one transaction."""

    items: list[ItemDocument]


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole sessions, few enough for one transaction.

    Attributes:
        sessions: their documents and contents.
        count: functions by session id that count the tokens of records without `tokenCount`; they are called for new
            sessions only. A session without a function is counted already.
    """

    sessions: list[tuple[SessionDocument, Contents]]
    count: dict[str, Callable[[], None]]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the contents of a large session; the last part has the session's document."""

    session_id: str
    contents: Contents
    owner: SessionDocument | None


Portion: TypeAlias = Users | Items | Batch | Part
