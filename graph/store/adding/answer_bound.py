"""The bound of the messages that an add returns, checked before the add is stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, Self

from graph.store.adding.add_plan import NewMessage
from graph.store.documents import JSONObject, MessageDocument
from graph.store.editing.merge import merged_metadata


@dataclass(frozen=True, slots=True)
class Contents:
    """The large parts of a message after a write."""

    content: str
    metadata: JSONObject
    parts: list[JSONObject] | None = None

    @classmethod
    def after(cls, old: MessageDocument, new: NewMessage | None) -> Self:
        """Return the contents of a stored message after an update.

        Args:
            old: the message, read with the paths that the answer has.
            new: the new version; None for no change.
        """
        content, metadata, parts = old.get("content", ""), old.get("metadata", {}), old.get("parts")
        if new is None:
            return cls(content, metadata, parts)
        return cls(new.content, merged_metadata(metadata, new.metadata), parts if new.parts is None else new.parts)


class AnswerBound(Protocol):
    """The maximum size of the messages that an add returns."""

    @property
    def reads(self) -> Collection[str]:
        """The paths of a message that the answer has and that may be large."""

    def size(self, place: int, contents: Contents) -> int:
        """Return the bytes of a message in the answer; `place` is the number of later messages in the memory."""

    def refuse(self, size: int) -> None:
        """Raise an error where messages of `size` bytes do not fit into the answer."""
