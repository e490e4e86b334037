"""The branches of a session in a file, and the summaries of its paths."""

from __future__ import annotations

from typing import Never

from graph.errors import TransferError, shown
from graph.store.documents import Document
from graph.store.tree.branches import MOST_BRANCHES, Place, Tree


class Branches:
    """The branches of a session whose records are read.

    Args:
        session_id: the session.
    """

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._tree: Tree | None = None
        self._summaries: list[Place] = []

    @property
    def summary_seq(self) -> int:
        """The last number of the newest summary on the path to the head; 0 without one."""
        path = None if self._tree is None else self._tree.path()
        shown_ = (place.seq for place in self._summaries if path is None or any(part.holds(place) for part in path))
        return max(shown_, default=0)

    def begin(self, session: Document, line: int) -> None:
        """Read the session record.

        Raises:
            TransferError: its branches and its head are no tree.
        """
        if "branches" not in session and "head" not in session:
            return
        branches, head = session.get("branches"), session.get("head")
        if not branches or head is None or len(branches) > MOST_BRANCHES or head["branch"] >= len(branches):
            self._refuse_tree(line)
        for number, branch in enumerate(branches):
            if branch["parent"] >= max(number, 1) or branch["after"] >= branch["first"]:
                self._refuse_tree(line)
        self._tree = Tree.of(session)

    def _refuse_tree(self, line: int) -> Never:
        raise TransferError(
            f"line {line}: branches and head must be a tree: at most {MOST_BRANCHES:,} branches, each of which begins"
            " in an earlier one, after a smaller seq, and a head in one of them"
        )

    def check(self, record: Document, line: int) -> None:
        """Check the branch of a message or a summary.

        Raises:
            TransferError: the session has no such branch.
        """
        branches = 1 if self._tree is None else len(self._tree.branches)
        if (branch := record.get("branch", 0)) >= branches:
            raise TransferError(
                f"line {line}: branch is {branch}, and by its record session {shown(self._session_id)} has branches"
                f" from 0 to {branches - 1}"
            )

    def add_summary(self, record: Document, line: int) -> None:
        """Take a summary.

        Raises:
            TransferError: the session has no such branch, or the summaries are out of order.
        """
        self.check(record, line)
        place = Place(record.get("branch", 0), record["lastSeq"])
        if place.seq < record["firstSeq"] or (self._summaries and place.seq <= self._summaries[-1].seq):
            raise TransferError(f"line {line}: the summaries' ranges must ascend, from firstSeq to lastSeq")
        self._summaries.append(place)
