"""Which due messages one claim takes: pure rules."""

from __future__ import annotations

from dataclasses import dataclass

from graph.store.documents import MessageDocument


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one claim takes.

    Attributes:
        messages: most of them.
        tokens: most of all of them together; a message that has more is long, and is taken alone.
        attempts: a message that was claimed so often, at last alone, and that no worker survived, is `FAILED` instead.
    """

    messages: int
    tokens: int
    attempts: int


def is_exhausted(message: MessageDocument, limits: Limits) -> bool:
    """Whether it has ended its worker often enough; while it had company, that may have been another's doing."""
    state = message["enrichment"]
    return bool(state["attempts"] >= limits.attempts and state.get("together", 1) == 1)


def is_long(message: MessageDocument, limits: Limits) -> bool:
    """Whether a message is to be read in parts; one that has ended a worker is not, but at once and alone."""
    return bool(message["tokenCount"] > limits.tokens and "lease" not in message["enrichment"])


def batch(ordered: list[MessageDocument], limits: Limits) -> list[MessageDocument]:
    """The messages, from the first, that are of its kind and fit into one batch."""
    if not ordered:
        return []
    most = _together(ordered[0], limits)
    chosen: list[MessageDocument] = []
    tokens = 0
    for message in ordered:
        if _together(message, limits) != most:
            continue
        tokens += message["tokenCount"]
        if chosen and (len(chosen) == most or tokens > limits.tokens):
            break
        chosen.append(message)
    return chosen


def _together(message: MessageDocument, limits: Limits) -> int:
    """How many messages like this one are taken at a time: those that outlived a lease are suspects."""
    crashes: int = message["enrichment"]["attempts"] if "lease" in message["enrichment"] else 0
    most: int = max(1, limits.messages // 16**crashes)
    return most
