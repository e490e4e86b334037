"""The steps of the work, which logs, metrics and traces observe: the one place where the service is instrumented.

The code that works opens a step, or records one that has ended. The steps of a kind that no observer asks for cost
nothing but a look at a table.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias

from graph.errors import OperationError

logger = logging.getLogger(__name__)

Fact: TypeAlias = str | int | float | list[str]
"""A property of a step, which holds no content, credentials or variables of a request."""

OK: Final = "OK"
"""The outcome of a step without a failure; others are error codes, or names of the same form."""
CANCELLED: Final = "CANCELLED"
INTERNAL: Final = "INTERNAL"

_LONGEST_REASON = 64  # characters
_MOST_COMMANDS = 100
"""Maximum commands of one step that are kept for the log."""


class Kind(IntEnum):
    """The kind of a step.

    REQUEST: one request, or one operation of a WebSocket. PARSE, ADMISSION, RESOLVER: parts of an operation. COMMAND: a
    command of MongoDB. CHECKOUT: the wait for a connection to MongoDB. CALL: a request to another service. JOB: work in
    the background. SEARCH: a search. DELIVERY: from the commit of a change until a subscriber has been sent its event.
    """

    REQUEST = 0
    PARSE = 1
    ADMISSION = 2
    RESOLVER = 3
    COMMAND = 4
    CHECKOUT = 5
    CALL = 6
    JOB = 7
    SEARCH = 8
    DELIVERY = 9


class Observer(Protocol):
    """An observer of steps.

    Attributes:
        kinds: the kinds of steps that it asks for.
    """

    kinds: frozenset[Kind]

    def began(self, step: Step) -> None:
        """A step begins, in the task that does its work."""

    def ended(self, step: Step) -> None:
        """A step has ended. One that was recorded did not begin for the observer."""


class Step:
    """A part of the work, as a context: its length is the step's, and an error that leaves it is the outcome.

    Attributes:
        kind: the kind.
        name: the name, of a bounded number where no client chooses it.
        facts: other properties.
        outcome: `OK`, or the reason of the failure.
        seconds: the length, once the step has ended.
        parent: the step within which this one began.
        span: for the observer of traces.
        commands: the commands of MongoDB that ended within a request or job: name, collection, seconds.
        request_id: of the request.
        waited: seconds of the step in which it waited for the work of others, see `waiting`.
    """

    __slots__ = (
        "_began",
        "_token",
        "commands",
        "facts",
        "kind",
        "name",
        "outcome",
        "parent",
        "request_id",
        "seconds",
        "span",
        "waited",
    )

    def __init__(self, kind: Kind, name: str, facts: dict[str, Fact]) -> None:
        self.kind = kind
        self.name = name
        self.facts = facts
        self.outcome = OK
        self.seconds = 0.0
        self.parent: Step | None = None
        self.span: object = None
        self.commands: list[tuple[str, str, float]] = []
        self.request_id = ""
        self.waited = 0.0

    def __enter__(self) -> Self:
        self.parent = _current.get()
        self._token = _current.set(self)
        for observer in _observers[self.kind]:
            _notify(observer.began, self)
        self._began = time.perf_counter() - self.earlier
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._began
        if error is not None and self.outcome == OK:
            self.outcome = outcome_of(error)
        _current.reset(self._token)
        for observer in _observers[self.kind]:
            _notify(observer.ended, self)

    @property
    def earlier(self) -> float:
        """Seconds of the step's work that were done before it was entered."""
        earlier = self.facts.get("earlier", 0.0)
        return earlier if isinstance(earlier, float) else 0.0

    @property
    def worked(self) -> float:
        """Seconds of the step without those in which it waited for the work of others."""
        return max(0.0, self.seconds - self.waited)

    @property
    def owner(self) -> Step | None:
        """The request or job that the step is a part of."""
        step = self.parent
        while step is not None and step.kind not in _OWNERS:
            step = step.parent
        return step

    def note(self, **facts: Fact) -> None:
        """Add facts."""
        self.facts.update(facts)

    def fail(self, outcome: str) -> None:
        """Set the outcome, unless there is one that is no success."""
        if self.outcome == OK:
            self.outcome = outcome


class _Unseen(Step):
    """The step of a kind that nobody observes; one for all."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing has begun."""

    def note(self, **facts: Fact) -> None:
        """Forget the facts."""

    def fail(self, outcome: str) -> None:
        """Forget the outcome."""


_OWNERS = frozenset({Kind.REQUEST, Kind.JOB})
_keeping: set[Kind] = set()
_observers: list[tuple[Observer, ...]] = [() for _ in Kind]  # by kind
_current: ContextVar[Step | None] = ContextVar("step", default=None)
_request_id: ContextVar[str] = ContextVar("request_id", default="")
_carriers: list[Callable[[Step], str]] = []  # one at most
_levels: dict[str, Callable[[], float]] = {}


def step(kind: Kind, name: str = "", **facts: Fact) -> Step:
    """A step to enter; facts may be added until it ends."""
    return Step(kind, name, facts) if _observers[kind] else _UNSEEN


_UNSEEN: Final = _Unseen(Kind.REQUEST, "", {})


def record(kind: Kind, name: str, seconds: float, outcome: str = OK, **facts: Fact) -> None:
    """Record a step that has ended within the present one."""
    observers = _observers[kind]
    if observers:
        ended = Step(kind, name, facts)
        ended.parent = _current.get()
        ended.seconds = seconds
        ended.outcome = outcome
        for observer in observers:
            _notify(observer.ended, ended)


def record_command(name: str, collection: str, seconds: float, outcome: str) -> None:
    """Record a command of MongoDB, and keep it for the request or job that it is a part of."""
    step = _current.get()
    while step is not None and step.kind not in _OWNERS:
        step = step.parent
    if step is not None and len(step.commands) < _MOST_COMMANDS:
        step.commands.append((name, collection, seconds))
    if _observers[Kind.COMMAND]:
        record(Kind.COMMAND, name, seconds, outcome, collection=collection)


def keep_commands() -> None:
    """Have the clients of MongoDB that are made from now on record their commands, also where nobody observes these."""
    _keeping.add(Kind.COMMAND)


def is_observed(kind: Kind) -> bool:
    """Whether anything observes the steps of a kind, or needs them for others."""
    return bool(_observers[kind]) or kind in _keeping


def note(**facts: Fact) -> None:
    """Add facts to the present request."""
    request = _request()
    if request is not None:
        request.note(**facts)


def add(fact: str, number: int) -> None:
    """Add a number to a fact of the present request."""
    request = _request()
    if request is not None:
        before = request.facts.get(fact, 0)
        request.facts[fact] = number + (before if isinstance(before, int) else 0)


def fail(outcome: str) -> None:
    """Set the outcome of the present request, unless it has one that is no success."""
    request = _request()
    if request is not None:
        request.fail(outcome)


@contextmanager
def waiting() -> Iterator[None]:
    """Within the block, the present request waits for the work of others, as its client asked: it is not slow."""
    request, began = _request(), time.perf_counter()
    try:
        yield
    finally:
        if request is not None:
            request.waited += time.perf_counter() - began


def outcome_of(error: BaseException) -> str:
    """The outcome of a step that an error ends."""
    if isinstance(error, OperationError):
        return error.code.value
    return CANCELLED if isinstance(error, asyncio.CancelledError | GeneratorExit) else INTERNAL


def reason_of(failure: str) -> str:
    """The reason of a failure without its details: the name of the error before the first colon."""
    return failure.partition(":")[0].strip()[:_LONGEST_REASON]


def request_id() -> str:
    """The id of the present request; empty outside of one."""
    return _request_id.get()


def begin_request(request_id: str) -> None:
    """Set the id of the request that the present task serves."""
    _request_id.set(request_id)


def observe(*observers: Observer) -> None:
    """Add observers, for the rest of the process."""
    for observer in observers:
        for kind in observer.kinds:
            _observers[kind] = (*_observers[kind], observer)


@contextmanager
def observed_by(*observers: Observer) -> Iterator[None]:
    """Add observers for the length of a block."""
    observe(*observers)
    try:
        yield
    finally:
        _observers[:] = [tuple(one for one in those if one not in observers) for those in _observers]


def carry_by(carrier: Callable[[Step], str]) -> None:
    """Set the function that returns the `traceparent` of a step, see the W3C's Trace Context."""
    _carriers[:] = [carrier]


def traceparent() -> str:
    """The `traceparent` for the work that the present step causes; empty without traces, or outside of a step."""
    step = _current.get()
    return _carriers[0](step) if _carriers and step is not None else ""


def set_level(name: str, read: Callable[[], float]) -> None:
    """Say how a level of this process is read, such as the number of its subscribers; the last one counts."""
    _levels[name] = read


def levels() -> dict[str, float]:
    """The present levels."""
    return {name: read() for name, read in _levels.items()}


def _request() -> Step | None:
    step = _current.get()
    while step is not None and step.kind is not Kind.REQUEST:
        step = step.parent
    return step


def _notify(observe: Callable[[Step], None], step: Step) -> None:
    try:
        observe(step)
    except Exception:
        logger.exception("a step of kind %s could not be observed", step.kind.name)
