"""Expired sessions: sessions past their `expiresAt`, or unchanged for longer than the retention.

MongoDB compares with its own clock, so that all processes agree. `Database.sessions` has the sessions that have not
expired and nothing else: every read and write through it sees an expired session as a deleted one, until the jobs of
`graph.store.jobs.expiry` erase it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from graph.store.documents import Document, now
from graph.store.driver.collection import Existing

_NOW: Final = "$$NOW"
_NEVER: Final = datetime.max.replace(microsecond=999_000, tzinfo=UTC)
_CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How far the clocks of MongoDB and of this process may differ."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """A change of a session's expiry.

    Attributes:
        at: the new time; None removes the expiry.
    """

    at: datetime | None


def existing(retention: timedelta | None) -> Existing:
    """Return the condition of the sessions that exist for callers: they have not expired."""
    return Existing(
        _unexpired(retention),
        lambda: expired(retention),
        ("expiresAt",) if retention is None else ("expiresAt", "updatedAt"),
        lambda session: _surely_unexpired(session, retention),
    )


def expired(retention: timedelta | None) -> Document:
    """Return the filter of the sessions that have expired: a range of one index for each reason."""
    return {"$or": _ranges(retention), "$expr": {"$not": [_unexpired(retention)["$expr"]]}}


def _unexpired(retention: timedelta | None) -> Document:
    conditions: list[Document] = [{"$gt": [{"$ifNull": ["$expiresAt", _NEVER]}, _NOW]}]
    if retention is not None:
        conditions.append({"$gt": ["$updatedAt", {"$subtract": [_NOW, retention // timedelta(milliseconds=1)]}]})
    return {"$expr": conditions[0] if len(conditions) == 1 else {"$and": conditions}}


def _surely_unexpired(session: Mapping[str, Any], retention: timedelta | None) -> bool:
    """Return whether a session has not expired by any clock; its times are in UTC, with or without a zone."""
    ends: list[datetime] = [] if session.get("expiresAt") is None else [session["expiresAt"]]
    if retention is not None:
        ends.append(session["updatedAt"] + retention)
    return not ends or min(ends).replace(tzinfo=UTC) > now() + _CLOCKS_DIFFER


def _ranges(retention: timedelta | None) -> list[Document]:
    """Return the ranges of indexes that have all expired sessions, and by the clock of this process some others."""
    until = now() + _CLOCKS_DIFFER
    ranges: list[Document] = [{"expiresAt": {"$lte": until}}]
    if retention is not None:
        ranges.append({"updatedAt": {"$lte": until - retention}})
    return ranges
