"""How long the operations of this process took of late: a bounded table, with names and times alone."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from graph.telemetry.steps import Kind, Step

MOST_NAMES: Final = 100
"""Maximum names of operations, and reasons of failures, that are distinguished; the others are `other`."""
_LONGEST_NAME: Final = 64  # characters
OTHER: Final = "other"
SHOWN: Final = 20
"""Maximum number of operations of a process that it reports."""
PART_SECONDS: Final = 1800.0
"""The table forgets the older half of the last two such parts of time at once."""
_PARTS: Final = 4  # buckets from one length to its double: a quantile is at most a fifth too long
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_LEAST: Final = 0.001  # seconds, up to which all lengths are in one bucket


class FirstNames:
    """The first names of some: clients choose them, and each takes memory."""

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self._seen: set[str] = set()

    def of(self, name: str) -> str:
        """Return the name, or `other` where there are too many others."""
        if name in self._seen:
            return name
        if len(self._seen) >= self._most or len(name) > _LONGEST_NAME:
            return OTHER
        self._seen.add(name)
        return name


def operation_of(step: Step, names: FirstNames) -> tuple[str, str] | None:
    """Return the name and the kind of the operation that a request is.

    None for a page, a check of health, or a body of JSON lines, whose lines are the requests.

    Args:
        step: a request that has ended.
        names: the names that are distinguished.
    """
    facts = step.facts
    if "protocol" not in facts or facts.get("kind") == "lines":
        return None
    name = str(facts.get("operation", ""))
    return names.of(name) if facts.get("trusted", 1) else OTHER, str(facts.get("kind", facts["protocol"]))


@dataclass(slots=True)
class Times:
    """The times that the calls of one operation took.

    Attributes:
        name: the name that clients give the operation; empty for none.
        kind: query, mutation, or the protocol that has no other kinds.
        buckets: numbers of calls by their length, in buckets of a geometric series.
        longest: seconds of the longest call.
        last_at: the end of the last call.
    """

    name: str
    kind: str
    buckets: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0
    last_at: datetime = _NEVER

    @property
    def count(self) -> int:
        """The number of calls."""
        return self.buckets.total()

    def add(self, seconds: float, at: datetime) -> None:
        """Add a call that took some seconds and ended at a time."""
        self.buckets[_bucket_of(seconds)] += 1
        self.longest = max(self.longest, seconds)
        self.last_at = max(self.last_at, at)

    def merge(self, other: Times) -> None:
        """Add the calls of another table."""
        self.buckets.update(other.buckets)
        self.longest = max(self.longest, other.longest)
        self.last_at = max(self.last_at, other.last_at)

    def quantile(self, share: float) -> float:
        """Return the seconds within which a share of the calls ended, or up to a fifth more."""
        needed = math.ceil(share * self.count)
        for bucket in sorted(self.buckets):
            needed -= self.buckets[bucket]
            if needed <= 0:
                return min(self.longest, _LEAST * 2 ** (bucket / _PARTS))
        return self.longest


def _bucket_of(seconds: float) -> int:
    return math.ceil(_PARTS * math.log2(seconds / _LEAST)) if seconds > _LEAST else 0


def slowest(tables: Iterable[Times], most: int = SHOWN) -> list[Times]:
    """Return the operations of several tables with the longest 99th percentiles, longest first."""
    merged: dict[tuple[str, str], Times] = {}
    for times in tables:
        merged.setdefault((times.name, times.kind), Times(times.name, times.kind)).merge(times)
    return sorted(merged.values(), key=lambda one: (-one.quantile(0.99), -one.longest, one.name, one.kind))[:most]


class Operations:
    """Observes the queries, mutations and calls of other protocols of the last half to whole hour.

    Subscriptions last as long as their clients want, and are left out.

    Args:
        clock: the seconds of a clock that never goes back.
    """

    kinds = frozenset({Kind.REQUEST})

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._names = FirstNames()
        self._times: dict[tuple[str, str], Times] = {}
        self._before: dict[tuple[str, str], Times] = {}

    def began(self, step: Step) -> None:
        """Do nothing: an operation is counted at its end."""

    def ended(self, step: Step) -> None:
        """Count an operation, without the time that it waited for the work of others."""
        self._forget()
        found = operation_of(step, self._names)
        if found is None or found[1] == "subscription":
            return
        times = self._times.get(found)
        if times is None:
            times = self._times[found] = Times(*found)
        times.add(step.worked, datetime.now(UTC))

    def slowest(self) -> list[Times]:
        """Return the operations with the longest 99th percentiles, longest first."""
        self._forget()
        return slowest([*self._before.values(), *self._times.values()])

    def _forget(self) -> None:
        passed = self._clock() - self._began
        if passed < PART_SECONDS:
            return
        self._before = self._times if passed < 2 * PART_SECONDS else {}
        self._times, self._names, self._began = {}, FirstNames(), self._clock()
