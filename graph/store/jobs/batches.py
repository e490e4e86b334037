"""The rules by which a claim selects due messages, as pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from graph.store.documents import MessageDocument


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one claim.

    Attributes:
        messages: maximum number of messages.
        tokens: maximum tokens of all messages together; a message with more is long, and is taken alone.
        attempts: maximum claims of a message that ends its workers; after them, the last one alone, it is `FAILED`.
    """

    messages: int
    tokens: int
    attempts: int


def is_exhausted(message: MessageDocument, limits: Limits) -> bool:
    """Whether a message was claimed the maximum number of times, at last alone, so that no other is the cause."""
    state = message["enrichment"]
    return bool(state["attempts"] >= limits.attempts and state.get("together", 1) == 1)


def is_long(message: MessageDocument, limits: Limits) -> bool:
    """Whether a message is read in parts; a message that has ended a worker is read whole, and alone."""
    return bool(message["tokenCount"] > limits.tokens and "lease" not in message["enrichment"])


def batch(ordered: list[MessageDocument], limits: Limits) -> list[MessageDocument]:
    """Return the messages of the same kind as the first one that fit into one batch."""
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
    """Return the number of similar messages in one claim: fewer, if earlier leases ran out."""
    crashes: int = message["enrichment"]["attempts"] if "lease" in message["enrichment"] else 0
    most: int = max(1, limits.messages // 16**crashes)
    return most
