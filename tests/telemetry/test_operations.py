"""The table of the times of operations: what it counts, keeps and forgets."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from graph.telemetry.operations import MOST_NAMES, PART_SECONDS, SHOWN, Operations, Times, slowest
from graph.telemetry.steps import Fact, Kind, observed_by, step, waiting


class Clock:
    """A clock that is set by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def called(name: str = "Few", kind: str = "query", **facts: Fact) -> None:
    with step(Kind.REQUEST) as request:
        request.note(protocol="graphql", kind=kind, operation=name, **facts)


def names_of(operations: Operations) -> list[tuple[str, str, int]]:
    return [(one.name, one.kind, one.count) for one in operations.slowest()]


def test_queries_and_mutations_are_counted_and_nothing_else() -> None:
    with observed_by(operations := Operations()):
        called()
        called()
        called("Add", "mutation")
        called("Followed", "subscription")
        called("Lines", "lines")
        called("Unknown", trusted=0)
        with step(Kind.REQUEST):
            pass  # a page
    assert sorted(names_of(operations)) == [("Add", "mutation", 1), ("Few", "query", 2), ("other", "query", 1)]


def test_a_wait_for_the_work_of_others_does_not_count() -> None:
    with observed_by(operations := Operations()), step(Kind.REQUEST) as request:
        request.note(protocol="graphql", kind="mutation", operation="Add")
        with waiting():
            time.sleep(0.3)
    (found,) = operations.slowest()
    assert request.seconds >= 0.3
    assert found.longest < 0.2


def test_the_names_that_clients_choose_are_bounded() -> None:
    with observed_by(operations := Operations()):
        for number in range(3 * MOST_NAMES):
            called(f"Name{number}")
        called("x" * 1_000)
    assert len(operations.slowest()) == SHOWN
    assert len(operations._times) == MOST_NAMES + 1
    assert max(len(name) for name, _ in operations._times) <= 64


def test_what_is_old_is_forgotten() -> None:
    clock = Clock()
    with observed_by(operations := Operations(clock)):
        called("First")
        clock.seconds = PART_SECONDS
        called("Second")
        assert {name for name, _, _ in names_of(operations)} == {"First", "Second"}
        clock.seconds = 2 * PART_SECONDS
        assert names_of(operations) == [("Second", "query", 1)]
        clock.seconds = 5 * PART_SECONDS
        assert names_of(operations) == []


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_quantile_is_at_most_a_fifth_too_long(share: float) -> None:
    lengths = sorted(0.0004 * 1.01**number for number in range(1_000))
    times = Times("Few", "query")
    for length in lengths:
        times.add(length, datetime.now(UTC))
    real = lengths[int(share * 1_000) - 1]
    assert real <= times.quantile(share) <= 1.2 * real
    assert times.quantile(1.0) == times.longest == lengths[-1]


def test_the_tables_of_several_processes_are_merged() -> None:
    at = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)]
    tables = [Times("Few", "query"), Times("Few", "query"), Times("Add", "mutation")]
    tables[0].add(0.1, at[1])
    tables[1].add(2.0, at[0])
    tables[2].add(1.0, at[0])
    few, add = slowest(tables)
    assert (few.name, few.count, few.longest, few.last_at) == ("Few", 2, 2.0, at[1])
    assert (add.name, add.count) == ("Add", 1)
    assert tables[0].count == 1
