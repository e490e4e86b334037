"""The branches of a session: a tree of messages, and the path from its first message to its head. Pure functions.

A message is in one branch. Branch 0 begins with the session; every other one begins after a message of an earlier
branch, its parent. All messages of a branch are younger than the message that the branch begins after, so a path is a
short list of ranges, each of one branch, in the order of `seq`: a filter, where a list of parents would be a walk.

A session whose messages form one line has no tree: neither the session nor its messages have a field for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias, cast

from graph.errors import BadUserInput
from graph.store.documents import BranchDocument, Document, HeadDocument, MessageDocument, SessionDocument

MOST_BRANCHES = 1_000
"""Maximum branches of a session, whose document has them."""
FIELDS = ("branches", "head")
"""The fields of a session that `Tree.of` reads."""


class Place(NamedTuple):
    """The place of a message."""

    branch: int
    seq: int


ROOT = Place(0, 0)
"""The place before the first message."""


Parent: TypeAlias = Place | int | None
"""The parent of a new message: a place, the index of another new message, or None for the head."""


class Range(NamedTuple):
    """The part of a path in one branch: the messages with a `seq` from `first` to `until`."""

    branch: int
    first: int
    until: int

    def holds(self, place: Place) -> bool:
        """Return whether a place is in the range."""
        return place.branch == self.branch and self.first <= place.seq <= self.until


_FEW = 20
"""Maximum ranges that MongoDB finds by its index, one by one; it takes long to plan with more."""


def within(ranges: Sequence[Range], place: str) -> list[Document]:
    """Return filters, of which the messages in some ranges of one path meet one.

    Args:
        ranges: at least one range.
        place: the name of the field with the number.
    """
    if len(ranges) <= _FEW:
        return [
            {"branch": stored_branch(part.branch), place: {"$gte": part.first, "$lte": part.until}} for part in ranges
        ]
    last = dict.fromkeys(range(max(part.branch for part in ranges) + 1), 0)
    last |= {part.branch: part.until for part in ranges}
    # A branch has all its messages from the first one of the range on, so that one comparison decides.
    until = {"$arrayElemAt": [{"$literal": list(last.values())}, {"$ifNull": ["$branch", 0]}]}
    return [{"$expr": {"$lte": [f"${place}", until]}}]


def stored_branch(branch: int) -> int | None:
    """Return the value of `branch` in a filter: messages of branch 0 lack the field."""
    return branch or None


def place_of(message: MessageDocument) -> Place:
    """Return the place of a message, read with `branch` and `seq`."""
    return Place(message.get("branch", 0), message["seq"])


@dataclass(frozen=True, slots=True)
class Tree:
    """The branches of a session.

    Attributes:
        branches: the branches, by number.
        head: the place of the last message of the path.
    """

    branches: tuple[BranchDocument, ...]
    head: Place

    @classmethod
    def of(cls, session: Mapping[str, object]) -> Tree | None:
        """Return the tree of a session, read with `FIELDS`; None if its messages form one line."""
        if "branches" not in session:
            return None
        found = cast("SessionDocument", session)
        return cls(tuple(found["branches"]), Place(found["head"]["branch"], found["head"]["seq"]))

    @classmethod
    def line(cls, last: int, head: int) -> Tree:
        """Return the tree of messages that form one line.

        Args:
            last: the number of the newest message; 0 without one.
            head: the number of the last message of the path.
        """
        return cls(({"parent": 0, "after": 0, "first": 1, "last": last},), Place(0, head))

    @property
    def is_line(self) -> bool:
        """Whether the messages form one line that ends with the head."""
        return len(self.branches) == 1 and self.head.seq == self.branches[0]["last"]

    def path(self, place: Place | None = None) -> tuple[Range, ...]:
        """Return the ranges from the first message to a place, by default to the head, in the order of `seq`."""
        branch, until = self.head if place is None else place
        ranges: list[Range] = []
        while True:
            begins = self.branches[branch]
            if until >= begins["first"]:
                ranges.append(Range(branch, begins["first"], until))
            if not branch:
                return tuple(reversed(ranges))
            branch, until = begins["parent"], begins["after"]

    def holds(self, place: Place) -> bool:
        """Return whether a place is on the path to the head."""
        return place == ROOT or any(part.holds(place) for part in self.path())

    def beyond(self, place: Place) -> list[int]:
        """Return the branches in which a message can have the place on its path."""
        found = [place.branch]
        for number, branch in enumerate(self.branches):
            inherits = branch["after"] >= place.seq if branch["parent"] == place.branch else True
            if number and number != place.branch and branch["parent"] in found and inherits:
                found.append(number)
        return found

    def begun_after(self, place: Place, until: int | None) -> list[Place]:
        """Return the beginnings of the branches that begin in a branch from a place on, as places in those branches.

        Args:
            place: the place.
            until: the number of a later message of the branch, where these branches end; None for its end.
        """
        return [
            Place(number, branch["after"])
            for number, branch in enumerate(self.branches)
            if number and branch["parent"] == place.branch and place.seq <= branch["after"]
            if until is None or branch["after"] < until
        ]

    def grow(self, parent: Place, seq: int) -> Tree:
        """Return the tree with a new message after a parent: the message is the new head.

        Raises:
            BadUserInput: the message would begin a new branch, and the session has the maximum.
        """
        number = self._branch_after(parent)
        if number < len(self.branches):
            begun = self.branches[number]
            if begun["last"] == begun["after"] and number:
                begun = {**begun, "first": seq}
        elif number < MOST_BRANCHES:
            begun = {"parent": parent.branch, "after": parent.seq, "first": seq, "last": seq}
        else:
            message = (
                f"the session has {MOST_BRANCHES:,} branches, the maximum: add the message to the end of a branch, or"
                " make another session with forkSession"
            )
            raise BadUserInput(message)
        grown: BranchDocument = {**begun, "last": seq}
        return Tree((*self.branches[:number], grown, *self.branches[number + 1 :]), Place(number, seq))

    def _branch_after(self, parent: Place) -> int:
        """Return the branch that a new message after a parent is in: one that ends there, or a new one."""
        if parent.seq >= self.branches[parent.branch]["last"]:
            return parent.branch
        for number, branch in enumerate(self.branches):
            if branch["parent"] == parent.branch and branch["last"] == branch["after"] == parent.seq and number:
                return number
        return len(self.branches)

    def with_head(self, head: Place) -> Tree:
        """Return the tree with another head."""
        return replace(self, head=head)

    def with_last(self, last: Mapping[int, int]) -> Tree:
        """Return the tree with other last messages of some branches; 0 stands for a branch without messages."""
        changed: list[BranchDocument] = [
            {**branch, "last": max(last[number], branch["after"])} if number in last else branch
            for number, branch in enumerate(self.branches)
        ]
        while len(changed) > 1 and changed[-1]["last"] == changed[-1]["after"] and self.head.branch < len(changed) - 1:
            changed.pop()  # no branch begins in the last one
        return replace(self, branches=tuple(changed))

    def update(self, stored: Tree | None) -> Document:
        """Return the update of the session's document, with or without a tree: it sets the changed branches alone."""
        if self.is_line:
            return {"$unset": dict.fromkeys(FIELDS, "")}
        head: HeadDocument = {"branch": self.head.branch, "seq": self.head.seq}
        if stored is None or len(self.branches) < len(stored.branches):
            return {"$set": {"branches": list(self.branches), "head": head}}
        known = len(stored.branches)
        changed = {
            f"branches.{number}": branch
            for number, branch in enumerate(self.branches)
            if number >= known or branch != stored.branches[number]
        }
        return {"$set": {**changed, "head": head}}


def summaries_of(session_id: str, tree: Tree | None, messages: Iterable[Place]) -> Document:
    """Return the filter of the summaries whose last message is one of some messages, or comes after one of them.

    Args:
        session_id: the session.
        tree: its tree, or None.
        messages: the places; at least one.
    """
    first: dict[int, int] = {}
    for branch, seq in messages:
        first[branch] = min(seq, first.get(branch, seq))
    if tree is None:
        return {"sessionId": session_id, "lastSeq": {"$gte": min(first.values())}}
    later: list[Document] = [
        {
            "branch": {"$in": [stored_branch(number) for number in tree.beyond(Place(branch, seq))]},
            "lastSeq": {"$gte": seq},
        }
        for branch, seq in first.items()
    ]
    return {"sessionId": session_id, "$or": later}


def planted(tree: Tree, parents: Sequence[Parent], first_seq: int) -> tuple[Tree, list[int]]:
    """Return a tree with new messages, and the branch of each.

    Args:
        tree: the tree before.
        parents: the parent of each message.
        first_seq: the number of the first message.

    Raises:
        BadUserInput: the session would have too many branches.
    """
    branches: list[int] = []
    for seq, parent in enumerate(parents, first_seq):
        if parent is None:
            place = tree.head
        elif isinstance(parent, int):
            place = Place(branches[parent], first_seq + parent)
        else:
            place = parent
        tree = tree.grow(place, seq)
        branches.append(tree.head.branch)
    return tree, branches
