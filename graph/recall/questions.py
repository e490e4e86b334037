"""Flags of a message: whether it is a question, and the classes of entities that it has or asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntFlag


class Flag(IntFlag):
    """The flags of a message: QUESTION, and the classes of its entities."""

    QUESTION = 1
    TIME = 2
    PLACE = 4
    PERSON = 8
    NUMBER = 16


NO_FLAG = Flag(0)

_LABELS = {
    **dict.fromkeys(("DATE", "TIME"), Flag.TIME),
    **dict.fromkeys(("GPE", "LOC", "FAC"), Flag.PLACE),
    **dict.fromkeys(("PERSON", "PER", "ORG"), Flag.PERSON),
    **dict.fromkeys(("CARDINAL", "QUANTITY", "MONEY", "PERCENT"), Flag.NUMBER),
}

_ASKED = (
    (re.compile(r"\bhow (?:many|much|often|old|long)\b|\bwie ?viele?\b|\bwie (?:oft|alt|lange)\b"), Flag.NUMBER),
    (re.compile(r"\b(?:when|wann|what (?:date|day|month|year|time)|which (?:day|month|year))\b"), Flag.TIME),
    (re.compile(r"\b(?:where|wo|wohin|woher|(?:what|which) (?:city|country|place|town))\b"), Flag.PLACE),
    (re.compile(r"\b(?:who|whom|whose|wer|wen|wem|wessen)\b"), Flag.PERSON),
)


def is_question(content: str) -> bool:
    """Return whether a text is a question."""
    return content.rstrip().endswith(("?", "？"))  # noqa: RUF001 - as Japanese has it


def message_flags(labels: Iterable[str], *, question: bool) -> Flag:
    """Return the flags of a message.

    Args:
        labels: the labels of its entities.
        question: whether its content is a question.
    """
    flags = Flag.QUESTION if question else NO_FLAG
    for label in labels:
        flags |= _LABELS.get(label, NO_FLAG)
    return flags


def asked_for(query: str) -> Flag:
    """Return the class of entity that a query asks for, or no flag."""
    text = query.casefold()
    return next((flag for pattern, flag in _ASKED if pattern.search(text)), NO_FLAG)
