"""When a rolling summary is due, and which messages the next one takes in. Pure rules: nothing here reads or writes.

The rule: once at least a message window of messages is not yet covered, all but the newest half window of them are
summarised, and each summary takes the one before it in. However many messages come at once, all of them are covered:
messages that are too many for one summary are covered by several, one after the other.

A caller repeats, until `next_step` returns None: read the oldest uncovered messages, at most `StepLimits.page_size` of
them; summarise the step's messages together with the newest summary; store that with the range from `cover`. No state
is kept between the steps, so that a worker that dies loses nothing, and no more than one page is ever in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DEFAULT_WINDOW = 12


@dataclass(frozen=True, slots=True)
class UncoveredMessage:
    """A message that no summary covers yet."""

    seq: int
    token_count: int = 0


@dataclass(frozen=True, slots=True)
class StepLimits:
    """The most that one summary newly takes in.

    The token limit gives way where half a window of messages is more than that; a summariser bounds its input
    anyway.
    """

    max_messages: int = 200
    max_tokens: int = 16_000

    def __post_init__(self) -> None:
        if self.max_messages < 1 or self.max_tokens < 1:
            raise ValueError("the limits of a summary allow no message or no token: allow at least one of both")

    def page_size(self, window: int) -> int:
        """Return how many of the oldest uncovered messages `next_step` has to see, where there are that many."""
        return max(self.max_messages, window) + window


@dataclass(frozen=True, slots=True)
class Step:
    """The messages that the next summary newly takes in: the `messages` oldest uncovered ones."""

    first_seq: int
    last_seq: int
    messages: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The range of a summary: it covers every message from `first_seq` to `last_seq`, both included."""

    first_seq: int
    last_seq: int


def is_due(uncovered: int, window: int = DEFAULT_WINDOW) -> bool:
    """Tell whether this number of uncovered messages calls for a summary."""
    return uncovered >= _checked(window)


def next_step(
    page: Sequence[UncoveredMessage], *, more: bool, window: int = DEFAULT_WINDOW, limits: StepLimits | None = None
) -> Step | None:
    """Return the range that the next summary adds, or None when no summary is due.

    Args:
        page: the oldest uncovered messages in the order of their `seq`, which may have holes.
        more: whether there are uncovered messages after the page; it then has `StepLimits.page_size` messages.
        window: the message window.
        limits: the most that one summary takes in.

    Raises:
        ValueError: the page ends too early to tell, or is out of order.
    """
    limits = limits or StepLimits()
    if more and len(page) < limits.page_size(window):
        raise ValueError(f"{len(page)} messages were given, and there are more: give {limits.page_size(window)}")
    if any(a.seq >= b.seq for a, b in pairwise(page)):
        raise ValueError("the uncovered messages are not in the order of their seq: sort them")
    if not is_due(len(page), window):
        return None
    count = len(page) - window // 2
    allowed = _fitting(page, limits)
    if more or count > allowed:
        # A step that is not the last leaves at least a window uncovered. Otherwise the rest would not be due any more
        # and stay uncovered until further messages come.
        count = min(allowed, len(page) - window) or count
    return Step(page[0].seq, page[count - 1].seq, count)


def plan_steps(
    uncovered: Iterable[UncoveredMessage], *, window: int = DEFAULT_WINDOW, limits: StepLimits | None = None
) -> Iterator[Step]:
    """Yield all steps until nothing is due, reading ahead of them by no more than one page."""
    limits = limits or StepLimits()
    size = limits.page_size(window)
    source = iter(uncovered)
    page: list[UncoveredMessage] = []
    while True:
        for message in source:
            page.append(message)
            if len(page) > size:
                break
        step = next_step(page[:size], more=len(page) > size, window=window, limits=limits)
        if step is None:
            return
        yield step
        del page[: step.messages]


def cover(previous: Coverage | None, step: Step) -> Coverage:
    """Return the range that the summary of a step records.

    It begins where the previous summary's does: that one was taken in, so a change to any message since then makes the
    new one stale as well.
    """
    return Coverage(previous.first_seq if previous else step.first_seq, step.last_seq)


def _fitting(page: Sequence[UncoveredMessage], limits: StepLimits) -> int:
    tokens = 0
    for taken, message in enumerate(page[: limits.max_messages]):
        tokens += message.token_count
        if tokens > limits.max_tokens:
            return max(taken, 1)
    return min(len(page), limits.max_messages)


def _checked(window: int) -> int:
    if window < 1:
        raise ValueError(f"the message window is {window}: it holds at least 1 message")
    return window
