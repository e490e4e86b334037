"""Portions of a file that are stored together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graph.store.documents import SessionDocument, UserDocument
from graph.store.transfer.documents import Contents


@dataclass(frozen=True, slots=True)
class Load:
    """How much a transaction stores.

    Attributes:
        records: of the kind of which there are most.
        size: bytes of the file.
        entities: different ones, each of which is stored once for its session and once for its user.
    """

    records: int = 0
    size: int = 0
    entities: int = 0

    def plus(self, other: Load) -> Load:
        """Both together."""
        return Load(self.records + other.records, self.size + other.size, self.entities + other.entities)

    def reaches(self, most: Load) -> bool:
        """Whether it is as large as `most` in any respect."""
        return self.records >= most.records or self.size >= most.size or self.entities >= most.entities

    def exceeds(self, most: Load) -> bool:
        """Whether it is larger than `most` in any respect."""
        return self.records > most.records or self.size > most.size or self.entities > most.entities


@dataclass(frozen=True, slots=True)
class Users:
    """Users to store."""

    users: list[UserDocument]


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole sessions, few enough for one transaction.

    Attributes:
        sessions: their documents and contents.
        count: of a session by its id, what counts the tokens that its records do not tell, which is needed only where
            it is new. Without one they are counted.
    """

    sessions: list[tuple[SessionDocument, Contents]]
    count: dict[str, Callable[[], None]]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the contents of a large session; the last part has the session's document."""

    session_id: str
    contents: Contents
    owner: SessionDocument | None
