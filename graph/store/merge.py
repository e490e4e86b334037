"""How metadata is updated."""

from __future__ import annotations

import orjson

from graph.errors import BadUserInput
from graph.store.documents import JSONObject

MOST_BYTES = 1_048_576
"""Size as JSON up to which metadata may grow by updates."""


def merged(old: JSONObject, new: JSONObject) -> JSONObject:
    """`old` with `new` merged in: maps merge deeply, everything else overwrites, an explicit null removes the key."""
    result = dict(old)
    for name, value in new.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            below = result.get(name)
            result[name] = merged(below if isinstance(below, dict) else {}, value)
        else:
            result[name] = value
    return result


def merged_metadata(old: JSONObject, new: JSONObject | None) -> JSONObject:
    """Metadata after an update: `old` itself when it stays as it is.

    As JSON, that is: to Python `1`, `1.0` and `true` are equal.

    Raises:
        BadUserInput: it would grow beyond what is kept.
    """
    if not new:
        return old
    result = merged(old, new)
    before, after = (orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for value in (old, result))
    if before == after:
        return old
    size = len(after)
    if size > MOST_BYTES and size > len(before):
        message = (
            f"metadata would have {size:,} bytes with what it has already, and at most {MOST_BYTES:,} are kept: remove"
            " keys by sending null for them"
        )
        raise BadUserInput(message)
    return result
