"""The limits and checks of input.

Each check returns the value to use, or raises `BadUserInput` with the allowed values in the message.
"""

from __future__ import annotations

import math
import uuid as uuids
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from graph.errors import BadUserInput, shown

MAX_ID_BYTES = 512
MAX_ROLE_BYTES = 256
MAX_CONTENT_BYTES = 1_048_576
MAX_MESSAGES = 1_000
MAX_PARTS = 1_000
"""Of one message."""
MAX_METADATA_BYTES = 262_144
MAX_METADATA_DEPTH = 32
MAX_LAST = 1_000
MAX_EMAIL_BYTES = 320
MAX_NAME_BYTES = 1_024
MAX_PAGE = 1_000
DEFAULT_PAGE = 20
DEFAULT_MATCHES = 5
"""Default number of matches of an entity, a nested list; `mentionCount` is the number of all."""
MAX_NODES = 1_000
MAX_PATH_KEYS = MAX_METADATA_DEPTH
_INT64 = 2**63


def check_text(value: str, name: str, *, most_bytes: int, empty: bool = False, nul: bool = False) -> str:
    """Check a text: UTF-8 can encode it, within a size.

    Args:
        value: the text.
        name: the caller's name of the value, for the error message.
        most_bytes: maximum bytes in UTF-8.
        empty: whether the empty text is accepted.
        nul: whether U+0000 is accepted.
    """
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        code = ord(value[error.start])
        message = (
            f"{name} has a lone surrogate (U+{code:04X}) at character {error.start}: send whole Unicode characters"
        )
        raise BadUserInput(message) from None
    if not value and not empty:
        raise BadUserInput(f"{name} must not be empty")
    if size > most_bytes:
        raise BadUserInput(f"{name} has {size:,} bytes, and at most {most_bytes:,} are accepted")
    if not nul and "\0" in value:
        raise BadUserInput(f"{name} must not contain the NUL character")
    return value


def check_id(value: str, name: str) -> str:
    """Check the caller's id of a session or user."""
    return check_text(value, name, most_bytes=MAX_ID_BYTES)


def is_id(value: str) -> bool:
    """Whether `check_id` accepts an id: a look-up of another id finds nothing."""
    try:
        check_id(value, "id")
    except BadUserInput:
        return False
    return True


def check_role(value: str, name: str) -> str:
    """A message's role."""
    return check_text(value, name, most_bytes=MAX_ROLE_BYTES)


def check_speaker(value: str, name: str) -> str:
    """The name of a message's speaker."""
    return check_text(value, name, most_bytes=MAX_ROLE_BYTES)


def check_optional(value: str | None, name: str, check: Callable[[str, str], str]) -> str | None:
    """A text that may be absent, by the check that it has where it is not."""
    return None if value is None else check(value, name)


def check_content(value: str, name: str) -> str:
    """Check a message's content, which may be empty, as in an agent's message that only calls a tool."""
    return check_text(value, name, most_bytes=MAX_CONTENT_BYTES, empty=True, nul=True)


def check_parts(value: Sequence[object], name: str) -> list[dict[str, Any]]:
    """The parts of a message: JSON objects, each with a `type`."""
    if len(value) > MAX_PARTS:
        raise BadUserInput(f"{name} has {len(value):,} items, and at most {MAX_PARTS:,} are accepted")
    parts: list[dict[str, Any]] = []
    for place, part in enumerate(value):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise BadUserInput(f'{name}[{place}] must be a JSON object with a type, such as {{"type": "text"}}')
        check_text(part["type"], f"{name}[{place}].type", most_bytes=MAX_ROLE_BYTES)
        parts.append(part)
    _check_json(parts, name, most_values=MAX_METADATA_BYTES // _LEAST_BYTES)
    if (size := len(orjson.dumps(parts))) > MAX_CONTENT_BYTES:
        raise BadUserInput(f"{name} has {size:,} bytes as JSON, and at most {MAX_CONTENT_BYTES:,} are accepted")
    return parts


def check_uuid(value: str, name: str) -> str:
    """Check a UUID of any version; return its canonical form."""
    try:
        if len(value) in (32, 36):
            return str(uuids.UUID(value))
    except ValueError:
        pass
    raise BadUserInput(f"{name} is not a UUID such as 123e4567-e89b-12d3-a456-426614174000")


def check_page(first: int | None, last: int | None, most: int = MAX_PAGE) -> int:
    """Return the size of a page of a connection."""
    if first is not None and last is not None:
        raise BadUserInput(
            "first and last are both given: give first for a page forwards, or last for a page backwards"
        )
    for name, value in (("first", first), ("last", last)):
        if value is not None and not 0 <= value <= most:
            raise BadUserInput(f"{name} must be from 0 to {most:,}, not {value:,}")
    if last is not None:
        return last
    return DEFAULT_PAGE if first is None else first


def check_path(value: str, name: str) -> tuple[str, ...]:
    """Return the keys of a dotted path into metadata."""
    check_text(value, name, most_bytes=MAX_METADATA_BYTES)
    keys = tuple(value.split("."))
    if "" in keys:
        raise BadUserInput(f"{name} has an empty key: write keys with single dots between them, such as customer.plan")
    if len(keys) > MAX_PATH_KEYS:
        raise BadUserInput(f"{name} has {len(keys)} keys, and metadata is at most {MAX_PATH_KEYS} levels deep")
    return keys


def check_json(value: object, name: str) -> Any:
    """Check a JSON value that metadata may hold."""
    _check_json(value, name, most_values=MAX_METADATA_BYTES // _LEAST_BYTES)
    return value


def check_last(value: int | None, name: str = "last") -> int | None:
    """Check a number of newest items."""
    if value is not None and not 0 <= value <= MAX_LAST:
        raise BadUserInput(f"{name} must be from 0 to {MAX_LAST:,}, not {value:,}")
    return value


def check_first(value: int | None, default: int = DEFAULT_PAGE) -> int:
    """Check a number of first items of a list."""
    if value is None:
        return default
    if not 0 <= value <= MAX_PAGE:
        raise BadUserInput(f"first must be from 0 to {MAX_PAGE:,}, not {value:,}")
    return value


def check_length(value: int) -> int:
    """Check a maximum number of characters of an excerpt."""
    if not 1 <= value <= MAX_PAGE:
        raise BadUserInput(f"length must be from 1 to {MAX_PAGE:,}, not {value:,}")
    return value


def check_seq(value: int, name: str = "seq") -> int:
    """Check the number of a message in its session."""
    if value < 1:
        raise BadUserInput(f"{name} must be at least 1, the number of the first message, not {value:,}")
    return value


def check_place(value: int, name: str) -> int:
    """Check a number before or after the messages of a list."""
    if value < 0:
        raise BadUserInput(f"{name} must be 0 or more, not {value:,}")
    return value


def check_limit(value: int) -> int:
    """Check a maximum number of items of a page."""
    if not 0 <= value <= MAX_PAGE:
        raise BadUserInput(f"limit must be from 0 to {MAX_PAGE:,}, not {value:,}")
    return value


def check_metadata(value: object, name: str = "metadata", *, most_bytes: int = MAX_METADATA_BYTES) -> dict[str, Any]:
    """Check a JSON object that MongoDB can store; null becomes the empty object."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        kind = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
        raise BadUserInput(f"{name} must be a JSON object, not {kind.get(type(value), 'that')}")
    _check_json(value, name, most_values=most_bytes // _LEAST_BYTES)
    size = len(orjson.dumps(value))
    if size > most_bytes:
        raise BadUserInput(f"{name} has {size:,} bytes as JSON, and at most {most_bytes:,} are accepted")
    return value


_LEAST_BYTES = 2
"""Minimum bytes of a value in JSON, with the comma."""


def _check_json(value: object, name: str, most_values: int) -> None:
    """Check each value, level by level.

    Args:
        value: the outermost value.
        name: the caller's name of the value, for the error message.
        most_values: maximum values; the check stops at more.
    """
    values, depth, level = 1, 0, [value]
    while level:
        depth += 1
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict | list):
                if depth > MAX_METADATA_DEPTH:
                    raise BadUserInput(f"{name} is nested deeper than {MAX_METADATA_DEPTH} levels")
                values += len(item)
                if values > most_values:
                    message = f"{name} has more than {most_values:,} values, the maximum: send fewer"
                    raise BadUserInput(message)
                below += _items(item, name)
            else:
                _check_scalar(item, name)
        level = below


def _items(container: dict[str, Any] | list[Any], name: str) -> Iterable[Any]:
    if isinstance(container, list):
        return container
    for key in container:
        if not key.isascii() or "\0" in key:
            check_text(key, f"a key of {name}", most_bytes=MAX_METADATA_BYTES, empty=True)
    return container.values()


def _check_scalar(value: object, name: str) -> None:
    if isinstance(value, str):
        if not value.isascii():
            check_text(value, f"a text in {name}", most_bytes=MAX_CONTENT_BYTES, empty=True, nul=True)
    elif isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise BadUserInput(
            f"{name} has the whole number {shown(value)}, and MongoDB holds those of 64 bits: send it as a text"
        )
    elif isinstance(value, float) and not math.isfinite(value):
        raise BadUserInput(
            f"{name} has NaN, Infinity or a number too large for a float, which JSON does not hold: send null or a text"
        )
