"""Messages of a framework that are stored whole: as the only part of a message, with their text as its content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from recallql.generated.input_types import MessageInput

_VALUE = "value"


class WithParts(Protocol):
    """A stored message."""

    parts: list[Any]


def to_input(framework: str, value: Mapping[str, Any], *, role: str, text: str) -> MessageInput:
    """Return the message to add; `value_of` returns an equal value.

    Args:
        framework: the type of the part.
        value: the message of the framework, as JSON.
        role: the role of its speaker.
        text: the text that searches, entities and contexts read.
    """
    return MessageInput(role=role, content=text, parts=[{"type": framework, _VALUE: dict(value)}])


def value_of(framework: str, message: WithParts) -> dict[str, Any] | None:
    """Return the framework's message of a stored message; None for a message that another client added."""
    if len(message.parts) != 1 or message.parts[0].get("type") != framework:
        return None
    value: dict[str, Any] = message.parts[0][_VALUE]
    return value
