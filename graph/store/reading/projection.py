"""From field paths to a MongoDB projection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache


def projection(fields: Collection[str] | None, rename: Mapping[str, str] | None = None) -> dict[str, int] | None:
    """A projection that reads exactly `fields`; None reads whole documents.

    `_id` is excluded unless it is asked for. MongoDB refuses a projection that names both `a` and `a.b`, so a path
    below a selected one is left out.

    Args:
        fields: paths with dots.
        rename: stored names by the names that callers use.
    """
    if fields is None:
        return None
    return dict(_projection(frozenset(fields), tuple((rename or {}).items())))


@lru_cache(maxsize=1_024)
def _projection(fields: frozenset[str], rename: tuple[tuple[str, str], ...]) -> dict[str, int]:
    names = dict(rename)
    stored = {names.get(name, name) for name in fields}
    chosen = {path for path in stored if not any(path != other and path.startswith(other + ".") for other in stored)}
    if not chosen:
        return {"_id": 1}
    result = dict.fromkeys(sorted(chosen), 1)
    if "_id" not in chosen:
        result["_id"] = 0
    return result
