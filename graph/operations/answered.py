"""The size of the messages that a write returns, known before the write is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import orjson

from graph.operations.bounds import refuse_larger_answer
from graph.store.adding.answer_bound import Contents
from graph.store.documents import MessageDocument

_LARGE = frozenset({"content", "metadata", "parts"})
"""The paths of a message that may be large."""


@dataclass(frozen=True, slots=True)
class AnsweredList:
    """The parts of messages in one list of the answer.

    Attributes:
        reads: the paths of a message that the list has.
        last: the number of last messages in the list; None for all.
    """

    reads: frozenset[str]
    last: int | None = None

    @classmethod
    def of(cls, reads: Iterable[str], last: int | None = None) -> Self:
        """Return the list of some paths, those of small parts left out."""
        return cls(frozenset(_LARGE.intersection(reads)), last)

    def size(self, place: int, contents: Contents) -> int:
        """Return the bytes of a message in the list, 0 where the list leaves the message out."""
        if self.last is not None and place >= self.last:
            return 0
        size = len(contents.content.encode(errors="replace")) if "content" in self.reads else 0
        size += len(orjson.dumps(contents.metadata)) if "metadata" in self.reads else 0
        return size + (len(orjson.dumps(contents.parts)) if "parts" in self.reads else 0)


@dataclass(frozen=True, slots=True)
class Answered:
    """The lists of messages in the answer to a write, as the store's `AnswerBound`."""

    lists: tuple[AnsweredList, ...] = ()

    @property
    def reads(self) -> frozenset[str]:
        """The paths of a message that the answer has."""
        return frozenset[str]().union(*(listed.reads for listed in self.lists))

    def size(self, place: int, contents: Contents) -> int:
        """Return the bytes of a message in the answer.

        Args:
            place: the number of later messages in the memory.
            contents: the contents of the message.
        """
        return sum(listed.size(place, contents) for listed in self.lists)

    def refuse(self, size: int) -> None:
        """Refuse an answer with so large messages.

        Raises:
            TooCostly: messages of `size` bytes do not fit into the answer.
        """
        refuse_larger_answer(size)

    def refuse_stored(self, message: MessageDocument) -> None:
        """Refuse a stored message that does not fit into the answer.

        Raises:
            TooCostly: the message does not fit.
        """
        self.refuse(self.size(0, Contents(message["content"], message["metadata"], message.get("parts"))))


NOTHING_ANSWERED = Answered()
