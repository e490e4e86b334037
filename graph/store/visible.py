"""The visible contents of a session: all contents after the last erased message.

An erasure may need many batches. The session's `erasedSeq` hides at once the contents that are deleted later.

A conversation consists of the messages on the path to the head of its session: `of_head`, see
`graph.store.tree.branches`. The messages of its other branches are visible, too: `of`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from graph.store.documents import Document, SessionDocument
from graph.store.tree import branches
from graph.store.tree.branches import Place, Range, Tree, within

_HIGHEST: Final = 2**53
"""Greater than every number of a message."""


@dataclass(frozen=True, slots=True)
class Visible:
    """The visible contents of a session that was read within the caller's scope.

    Attributes:
        session_id: the session.
        after_seq: only contents after this number are visible.
        path: the ranges of messages on the path to a message, in the order of `seq`; None for all branches.
        FIELDS: the fields of a session that `of` reads.
        HEAD_FIELDS: the fields of a session that `of_head` reads.
        MEMORY_FIELDS: the fields of a memory that `of_memory` reads.
    """

    FIELDS: ClassVar = ("_id", "erasedSeq")
    HEAD_FIELDS: ClassVar = (*FIELDS, *branches.FIELDS)
    MEMORY_FIELDS: ClassVar = ("sessionId", "firstSeq", "erasedSeq", *branches.FIELDS)

    session_id: str
    after_seq: int = 0
    path: tuple[Range, ...] | None = None

    @classmethod
    def of(cls, session: SessionDocument) -> Visible:
        """Return the visible part of a session, read with `FIELDS`."""
        return cls(session["_id"], session.get("erasedSeq", 0))

    @classmethod
    def of_head(cls, session: SessionDocument) -> Visible:
        """Return the visible part of a session, read with `HEAD_FIELDS`, on the path to its head."""
        return cls.of(session).on_path(Tree.of(session))

    @classmethod
    def of_memory(cls, memory: Document) -> Visible:
        """Return the visible part of a memory, read with `MEMORY_FIELDS`.

        Of a persisted memory, that is from its first message on; of a session memory, the path to the head.
        """
        if "firstSeq" in memory:
            return cls(memory["sessionId"], memory["firstSeq"] - 1)
        return cls(memory["sessionId"], memory.get("erasedSeq", 0)).on_path(Tree.of(memory))

    @classmethod
    def of_entity(cls, entity: Document) -> Visible:
        """Return the part of a session from the first mention of an entity, read with `sessionId` and `firstSeq`.

        The counted mentions were visible at the read: an erasure removes entities that only erased messages mention.
        An entity of a session with branches has the `path` that its mentions are on.
        """
        return cls(entity["sessionId"], entity["firstSeq"] - 1, entity.get("path"))

    @classmethod
    def nothing_of(cls, session_id: str) -> Visible:
        """Return the visible part of a session that does not exist, whose contents may not all be erased yet."""
        return cls(session_id, _HIGHEST)

    @property
    def first_seq(self) -> int:
        """The least number that a visible message may have."""
        return self.after_seq + 1

    def sees(self, seq: int) -> bool:
        """Whether the message, summary or memory with this number is visible."""
        return seq > self.after_seq

    def on_path(self, tree: Tree | None, place: Place | None = None) -> Visible:
        """Return the part on the path to a place, by default the head; the same part for a session without a tree."""
        return self if tree is None else Visible(self.session_id, self.after_seq, tree.path(place))

    def unchanged(self) -> Document:
        """Return the filter that the session meets until more of it is erased, or a part of the path leaves the path.

        A head further on in the same branch has all of the path before it.
        """
        head: Document = {"branches": None}
        if self.path is not None:
            last = self.path[-1] if self.path else Range(0, 1, 0)
            head = {"head.branch": last.branch, "head.seq": {"$gte": last.until}}
        return {"_id": self.session_id, "erasedSeq": self.after_seq or {"$in": [None, 0]}, **head}

    def hidden(self) -> Document | None:
        """Return the filter of the contents that are not visible; None if nothing was erased."""
        return {"sessionId": self.session_id, "seq": {"$lte": self.after_seq}} if self.after_seq else None

    def beyond(self, seq: int) -> Visible:
        """The part after a number."""
        return Visible(self.session_id, max(self.after_seq, seq), self.path)

    def match(self, place: str, until: int | None = None) -> Document:
        """The filter of a collection whose documents have the session's id, and a number at `place`.

        Args:
            place: the name of the field with the number.
            until: the greatest number; None for no bound.
        """
        bounds = {"$gt": self.after_seq} if until is None else {"$gt": self.after_seq, "$lte": until}
        if self.path is None:
            return {"sessionId": self.session_id, place: bounds}
        parts = [part for part in self.path if part.until > self.after_seq and (until is None or part.first <= until)]
        if not parts:
            return {"sessionId": self.session_id, place: {"$gt": self.after_seq, "$lte": self.after_seq}}
        last = parts[-1].until
        bounds["$lte"] = last if until is None else min(until, last)
        return {"sessionId": self.session_id, place: bounds, "$or": within(parts, place)}


AFTER_SEQ: Final = {"$ifNull": ["$erasedSeq", 0]}
"""The number in a session after which its contents are visible, as an expression of MongoDB."""


def erased_until(seq: int) -> Document:
    """The fields of a session of which nothing up to a number is visible."""
    return {"erasedSeq": seq}


def visible_by_id(sessions: Iterable[SessionDocument]) -> dict[str, Visible]:
    """Return the visible part of each session, by its id; the sessions were read with `FIELDS`."""
    return {session["_id"]: Visible.of(session) for session in sessions}
