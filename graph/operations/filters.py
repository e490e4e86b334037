"""Checks and limits of filters."""

from __future__ import annotations

import orjson

from graph.errors import BadUserInput
from graph.operations import validation
from graph.store.messages import MessageFilter
from graph.store.reading.metadata import ComparedValue, Contains, Existence, Key, Ordered, Unequal
from graph.store.titles import MOST_WORDS, words_of

MAX_ITEMS = 100
"""Maximum items of a list of roles, names or sessions in a filter of messages."""
MAX_CONDITIONS = 20
"""Maximum conditions on metadata in one filter."""
MAX_LEAVES = 64
"""Maximum leaf values (empty objects and lists included) in an operation's filters; MongoDB compares each."""
MAX_BYTES = validation.MAX_METADATA_BYTES
"""Maximum bytes of paths and values in an operation's filters, as JSON: the maximum of metadata."""
_MOST_DIGITS = 9  # maximum digits of an index, which must fit into 32 bits


def check_message_filter(filter_: MessageFilter) -> None:
    """Refuse lists that are too long, and a name that no entity can have.

    Raises:
        BadUserInput: a list is too long, or the name is refused.
    """
    for name, items in (("roles", filter_.roles), ("names", filter_.names), ("sessionIds", filter_.session_ids)):
        if items is not None and len(items) > MAX_ITEMS:
            raise BadUserInput(f"filter.{name} has {len(items)} items, and at most {MAX_ITEMS} are accepted")
    if filter_.entity is not None:
        validation.check_text(filter_.entity, "filter.hasEntity", most_bytes=validation.MAX_NAME_BYTES)


def check_name_filter(value: str, name: str) -> str:
    """Return a checked text that ids and titles of sessions are compared with.

    Raises:
        BadUserInput: the text is empty, or too long.
    """
    validation.check_id(value, name)
    if (count := len(words_of(value))) > MOST_WORDS:
        raise BadUserInput(f"{name} has {count} words, and at most {MOST_WORDS} are accepted")
    return value


def check_segments(value: list[str], name: str) -> tuple[Key, ...]:
    """Return a checked path into metadata. A segment is a key or the index of a list item."""
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
    """Counts the values of all filters of an operation."""

    def __init__(self) -> None:
        self._leaves = 0
        self._bytes = 0

    def add(self, path: tuple[Key, ...], compared: ComparedValue, name: str) -> ComparedValue:
        """Count one condition and check its value.

        Args:
            path: the keys that lead to the value.
            compared: the value or values to compare with.
            name: the caller's name of the value, for the error message.

        Returns:
            `compared`.

        Raises:
            BadUserInput: metadata can't hold the value, or the filters together exceed a limit.
        """
        value = _json_of(compared)
        self._leaves += _count(value, MAX_LEAVES + 1)
        if self._leaves > MAX_LEAVES:
            message = (
                f"{name} is too large: the filters of an operation may compare at most {MAX_LEAVES} texts, numbers,"
                " booleans, nulls and empty objects or lists"
            )
            raise BadUserInput(message)
        validation.check_json(value, name)
        self._bytes += len(orjson.dumps([path, value]))
        if self._bytes > MAX_BYTES:
            message = f"{name} is too large: paths and values of an operation's filters may have {MAX_BYTES:,} bytes"
            raise BadUserInput(message)
        return compared


def _json_of(compared: ComparedValue) -> object:
    if isinstance(compared, Contains):
        return compared.item
    if isinstance(compared, Ordered | Unequal):
        return compared.value
    return None if isinstance(compared, Existence) else compared


def _count(value: object, enough: int) -> int:
    """Return the number of leaves of a value; the count stops at `enough`."""
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
