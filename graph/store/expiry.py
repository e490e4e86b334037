"""Expired sessions: sessions past their `expiresAt`, or unchanged for longer than a retention.

There are two retentions: the server's, and the one of the session's user, which `graph.store.jobs.retention` copies to
each session as `retentionDays`. The shorter one counts.

MongoDB compares with its own clock, so that all processes agree. `Database.sessions` has the sessions that have not
expired and nothing else: every read and write through it sees an expired session as a deleted one, until the jobs of
`graph.store.jobs.expiry` erase it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from graph.store.documents import Document, SessionChanges, SessionDocument, now
from graph.store.driver.collection import Existing

MOST_DAYS: Final = 36_500
"""Maximum retention."""

Span: TypeAlias = tuple[int, int]
"""The least retention of a user in days, and the end of the range, exclusive."""

_DAY: Final = timedelta(days=1)
SPANS: Final[tuple[Span, ...]] = tuple((2**power, 2 ** (power + 1)) for power in range(MOST_DAYS.bit_length()))
"""All retentions. Of the sessions in a range, some have not expired: the ones that changed in the last half."""
_FOREVER: Final = 10 * MOST_DAYS
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

    def changes(self, session: SessionDocument) -> SessionChanges:
        """Return the changes of a session, read with `expiresAt`."""
        return {} if self.at == session.get("expiresAt") else {"expiresAt": self.at}


def update_of(changes: SessionChanges) -> Document:
    """Return the update that changes fields of a session, at least one of which is not removed."""
    removed = {name: "" for name, value in changes.items() if value is None}
    set_ = {name: value for name, value in changes.items() if value is not None}
    return {**({"$set": set_} if set_ else {}), **({"$unset": removed} if removed else {})}


def existing(retention: timedelta | None) -> Existing:
    """Return the condition of the sessions that exist for callers: they have not expired.

    Args:
        retention: the server's; None for no bound.
    """
    return Existing(
        {"$expr": _unexpired(retention)},
        lambda: expired_within(retention, SPANS),
        ("expiresAt", "updatedAt", "retentionDays"),
        lambda session: _surely_unexpired(session, retention),
    )


def expired(retention: timedelta | None) -> Document:
    """Return the filter of the sessions that have expired, which no index serves."""
    return {"$expr": {"$not": [_unexpired(retention)]}}


def expired_within(retention: timedelta | None, spans: Iterable[Span]) -> Document:
    """Return the filter of the expired sessions without a retention of their users, or with one within `spans`.

    Indexes serve the filter.
    """
    return {**_possibly_expired(retention, spans), **expired(retention)}


def _possibly_expired(retention: timedelta | None, spans: Iterable[Span]) -> Document:
    """Return the filter of all expired sessions and of some others: a range of one index for each reason.

    Args:
        retention: the server's; None for no bound.
        spans: the retentions of users that sessions have. The wider they are, the more other sessions the filter has.
    """
    until = now() + _CLOCKS_DIFFER
    ranges: list[Document] = [{"expiresAt": {"$lte": until}}]
    if retention is not None:
        ranges.append({"updatedAt": {"$lte": until - retention}})
    for first, end in spans:
        ranges.append({"retentionDays": {"$gte": first, "$lt": end}, "updatedAt": {"$lte": until - first * _DAY}})
    return {"$or": ranges}


def _unexpired(retention: timedelta | None) -> Document:
    kept: object = {"$multiply": [{"$ifNull": ["$retentionDays", _FOREVER]}, _milliseconds(_DAY)]}
    if retention is not None:
        kept = {"$min": [kept, _milliseconds(retention)]}
    return {
        "$and": [
            {"$gt": [{"$ifNull": ["$expiresAt", _NEVER]}, _NOW]},
            {"$lt": [{"$subtract": [_NOW, "$updatedAt"]}, kept]},
        ]
    }


def _milliseconds(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)


def _surely_unexpired(session: Mapping[str, Any], retention: timedelta | None) -> bool:
    """Return whether a session has not expired by any clock; its times are in UTC, with or without a zone."""
    ends: list[datetime] = [] if session.get("expiresAt") is None else [session["expiresAt"]]
    if retention is not None:
        ends.append(session["updatedAt"] + retention)
    if session.get("retentionDays") is not None:
        ends.append(session["updatedAt"] + session["retentionDays"] * _DAY)
    return not ends or min(ends).replace(tzinfo=UTC) > now() + _CLOCKS_DIFFER
