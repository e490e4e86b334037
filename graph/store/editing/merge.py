"""Updates of metadata by JSON Merge Patch (RFC 7396)."""

from __future__ import annotations

import orjson

from graph.errors import BadUserInput
from graph.store.documents import JSONObject

MOST_BYTES = 1_048_576
"""Maximum bytes of metadata as JSON after updates."""


def merged(old: JSONObject, new: JSONObject) -> JSONObject:
    """Merge `new` into `old` (RFC 7396): objects merge at every level, other values replace, null removes a key."""
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
    """Return the metadata after an update, or `old` itself if the update changes nothing.

    The comparison is by JSON: in Python, `1`, `1.0` and `true` are equal.

    Raises:
        BadUserInput: the metadata would exceed `MOST_BYTES`.
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
            f"metadata would have {size:,} bytes after the update, and at most {MOST_BYTES:,} are accepted: remove"
            " keys by sending null for them"
        )
        raise BadUserInput(message)
    return result
