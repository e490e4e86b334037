"""The tree of a session against a model in which each message knows its parent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import BadUserInput
from graph.store.documents import SessionDocument
from graph.store.tree.branches import MOST_BRANCHES, ROOT, Place, Tree, planted
from graph.store.visible import Visible

picks = st.integers(0, 1_000)
operations = st.one_of(
    st.tuples(st.just("add"), st.none() | st.just(-1) | picks),
    st.tuples(st.just("delete"), picks),
    st.tuples(st.just("pop")),
    st.tuples(st.just("move"), picks),
)


@dataclass
class Model:
    """A session as a list of parents, and beside it the tree with the branch of each message.

    Attributes:
        parents: the parent of each message that there ever was; 0 for the beginning.
        there: the messages that are not deleted.
        head: the last message of the path; 0 without one.
        tree: the tree under test.
        branches: the branch of each message in it.
    """

    parents: dict[int, int] = field(default_factory=dict)
    there: set[int] = field(default_factory=set)
    head: int = 0
    tree: Tree = field(default_factory=lambda: Tree.line(0, 0))
    branches: dict[int, int] = field(default_factory=lambda: {0: 0})

    def line(self, seq: int) -> list[int]:
        """The messages from the first one to a message, by a walk."""
        found = []
        while seq:
            if seq in self.there:
                found.append(seq)
            seq = self.parents[seq]
        return found[::-1]

    def pick(self, number: int) -> int:
        return sorted(self.there)[number % len(self.there)] if self.there else 0

    def place(self, seq: int) -> Place:
        return Place(self.branches[seq], seq) if seq else ROOT

    def add(self, choice: int | None) -> None:
        seq = len(self.parents) + 1
        parent = self.head if choice is None else 0 if choice == -1 else self.pick(choice)
        given = None if choice is None else self.place(parent)
        self.tree, (self.branches[seq],) = planted(self.tree, [given], seq)
        self.parents[seq] = parent
        self.there.add(seq)
        self.head = seq

    def delete(self, choice: int) -> None:
        if seq := self.pick(choice):
            self._remove(seq)

    def pop(self) -> None:
        if self.head:
            self._remove(self.head)

    def _remove(self, seq: int) -> None:
        before, place = self.line(self.head), self.place(seq)
        self.there.remove(seq)
        if self.head == seq:
            self.head = before[-2] if len(before) > 1 else 0
            self.tree = self.tree.with_head(self.place(self.head))
        if self.tree.branches[place.branch]["last"] == seq:
            rest = [other for other in self.there if self.branches[other] == place.branch]
            self.tree = self.tree.with_last({place.branch: max(rest, default=0)})

    def move(self, choice: int) -> None:
        if seq := self.pick(choice):
            self.head = seq
            self.tree = self.tree.with_head(self.place(seq))

    def check(self) -> None:
        assert [seq for seq in sorted(self.there) if self.holds(self.tree.path(), seq)] == self.line(self.head)
        assert self.tree.head == self.place(self.head)
        for seq in self.there:
            path = self.tree.path(self.place(seq))
            assert [other for other in sorted(self.there) if self.holds(path, other)] == self.line(seq)
            assert [part.first for part in path] == sorted(part.first for part in path)
            later = {other for other in self.there if seq in self.line(other)}
            beyond = self.tree.beyond(self.place(seq))
            assert {other for other in self.there if self.branches[other] in beyond and other >= seq} == later
        assert len(self.tree.branches) <= len(self.parents) + 1

    def holds(self, path: Any, seq: int) -> bool:
        return any(part.holds(self.place(seq)) for part in path)


@given(st.lists(operations, max_size=40))
def test_the_path_is_that_of_a_walk_from_parent_to_parent(plan: list[tuple[Any, ...]]) -> None:
    model = Model()
    for name, *arguments in plan:
        getattr(model, name)(*arguments)
        model.check()


def test_messages_at_the_end_of_a_line_stay_one_line() -> None:
    tree, branches = planted(Tree.line(4, 4), [None, Place(0, 4), 0], 5)
    assert branches == [0, 1, 0]
    assert not tree.is_line
    tree, branches = planted(Tree.line(4, 4), [None, 0, None], 5)
    assert branches == [0, 0, 0]
    assert tree.is_line
    assert tree.update(None) == {"$unset": {"branches": "", "head": ""}}


def test_a_new_answer_in_place_of_a_deleted_one_takes_no_new_branch() -> None:
    tree, _ = planted(Tree.line(2, 2), [Place(0, 1)], 3)
    for seq in range(4, 3_000):
        emptied = tree.with_head(Place(0, 1)).with_last({1: 0})
        assert len(emptied.branches) == 1
        tree = emptied.grow(emptied.head, seq)
    assert len(tree.branches) == 2


def test_the_number_of_branches_is_bounded() -> None:
    tree = Tree.line(1, 1)
    for seq in range(2, MOST_BRANCHES + 2):
        tree = tree.grow(ROOT if seq > 2 else Place(0, 1), seq)
    assert len(tree.branches) == MOST_BRANCHES
    with pytest.raises(BadUserInput, match="the session has 1,000 branches, the maximum"):
        tree.grow(ROOT, MOST_BRANCHES + 2)
    assert tree.grow(tree.head, MOST_BRANCHES + 2).head == Place(MOST_BRANCHES - 1, MOST_BRANCHES + 2)


def test_a_session_whose_messages_form_one_line_has_the_same_filters_as_without_branches() -> None:
    session: SessionDocument = {"_id": "s", "erasedSeq": 4}  # type: ignore[typeddict-item]
    assert Visible.of_head(session) == Visible.of(session) == Visible("s", 4)
