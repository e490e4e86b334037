"""The documents of messages that are still being written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NotRequired, TypedDict


class MessageStatus(StrEnum):
    """Whether a message is complete; a message whose document has no status is `COMPLETE`."""

    COMPLETE = "COMPLETE"
    STREAMING = "STREAMING"
    INTERRUPTED = "INTERRUPTED"
    ABORTED = "ABORTED"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a message.

    Attributes:
        index: the place of the piece in the message, from 0.
        text: a part of the content.
        data: a text for readers of the pieces, which the message does not keep.
    """

    index: int
    text: str
    data: str | None = None

    @property
    def size(self) -> int:
        """The bytes of the text and of the data."""
        return len(self.text.encode()) + len((self.data or "").encode())


class StreamDocument(TypedDict):
    """The state of a message that is being written, with the message's id; it goes with the end of the stream."""

    _id: str
    sessionId: str
    memoryId: str
    seq: int
    nextIndex: int
    """The index of the next piece."""
    size: int
    """The bytes of all pieces."""
    dueAt: datetime
    """The time at which the stream ends as interrupted unless its writer sends more."""


class TypingDocument(TypedDict):
    """The latest notice that an end user or a backend writes in a session; MongoDB removes it soon."""

    _id: str
    sessionId: str
    userId: str | None
    """The end user who writes; None for a backend."""
    name: str | None
    """The name of the speaker."""
    typing: bool
    at: datetime
    expiresAt: datetime
    """When the notice is no longer true without another one."""


class PiecesDocument(TypedDict):
    """Consecutive pieces of a message that is being written; the pieces go with the end of the stream."""

    _id: str
    sessionId: str
    memoryId: str
    messageId: str
    seq: int
    index: int
    """The index of the last piece."""
    texts: list[str]
    data: NotRequired[list[str | None]]
    """The data of each piece; absent where no piece has data."""


def pieces_in(document: PiecesDocument) -> Iterator[Piece]:
    """Yield the pieces of a document, in order."""
    texts = document["texts"]
    data = document.get("data") or [None] * len(texts)
    for index, (text, own) in enumerate(zip(texts, data, strict=True), document["index"] - len(texts) + 1):
        yield Piece(index, text, own)
