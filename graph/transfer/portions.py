"""Portions of a file that are stored together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graph.store.documents import SessionDocument, UserDocument
from graph.store.transfer.documents import Contents


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
