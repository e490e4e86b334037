"""What filters on metadata are accepted, and how much of them."""

from __future__ import annotations

import orjson

from graph.errors import BadUserInput
from graph.operations import validation
from graph.store.metadata import Contains, Existence, Key, Wanted

MAX_CONDITIONS = 20
"""Conditions on metadata in one filter."""
MAX_LEAVES = 64
"""Texts, numbers, booleans, nulls and empty objects or lists in all filters of an operation; MongoDB compares each."""
MAX_BYTES = validation.MAX_METADATA_BYTES
"""Paths and values in all filters of an operation, as JSON: no metadata is larger."""
_MOST_DIGITS = 9  # of the place of an item: what an int of 32 bits holds


def check_segments(value: list[str], name: str) -> tuple[Key, ...]:
    """A path into metadata, by its segments, each of which may be any key, or the place of an item of a list."""
    if not value:
        raise BadUserInput(f"{name} must not be empty")
    if len(value) > validation.MAX_PATH_KEYS:
        message = f"{name} has {len(value)} keys, and metadata is at most {validation.MAX_PATH_KEYS} levels deep"
        raise BadUserInput(message)
    return tuple(_segment(key, f"{name}[{place}]") for place, key in enumerate(value))


def _segment(key: str, name: str) -> Key:
    validation.check_text(key, name, most_bytes=MAX_BYTES, empty=True)
    is_place = key.isascii() and key.isdecimal() and len(key) <= _MOST_DIGITS and str(int(key)) == key
    return int(key) if is_place else key


class FilterBounds:
    """Counts what all filters of an operation ask for, together."""

    def __init__(self) -> None:
        self._leaves = 0
        self._bytes = 0

    def add(self, path: tuple[Key, ...], wanted: Wanted, name: str) -> Wanted:
        """Count one condition and check its value.

        Args:
            path: the keys that lead to the value.
            wanted: what must stand there.
            name: what the caller calls the value, for the message.

        Returns:
            What is wanted.

        Raises:
            BadUserInput: metadata can't hold the value, or the filters together exceed a limit.
        """
        value = wanted.item if isinstance(wanted, Contains) else None if isinstance(wanted, Existence) else wanted
        self._leaves += _count(value, MAX_LEAVES + 1)
        if self._leaves > MAX_LEAVES:
            message = (
                f"{name} is too much: the filters of an operation may compare at most {MAX_LEAVES} texts, numbers,"
                " booleans, nulls and empty objects or lists"
            )
            raise BadUserInput(message)
        validation.check_json(value, name)
        self._bytes += len(orjson.dumps([path, value]))
        if self._bytes > MAX_BYTES:
            message = f"{name} is too much: paths and values of an operation's filters may have {MAX_BYTES:,} bytes"
            raise BadUserInput(message)
        return wanted


def _count(value: object, enough: int) -> int:
    """How many leaves a value has; from `enough` on they are not counted."""
    leaves = 0
    waiting = [value]
    while waiting and leaves < enough:
        item = waiting.pop()
        below = list(item.values()) if isinstance(item, dict) else item if isinstance(item, list) else []
        if len(below) >= enough:
            return enough
        waiting += below
        leaves += not below
    return leaves
