"""Moments as they come in: read as RFC 3339 writes them, and kept in milliseconds, as MongoDB keeps them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from graph.errors import MOST_SHOWN, BadUserInput, shown

EXAMPLE = "2026-01-31T12:00:00Z"

_DATE = r"(\d{4})-(\d\d)-(\d\d)"
_RFC_3339 = re.compile(
    rf"{_DATE}[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII
)
_MOST_AHEAD = timedelta(minutes=1)
"""How far the clock of a caller may be ahead."""
_MILLISECOND = timedelta(milliseconds=1)


def read_time(text: str) -> datetime:
    """A moment as RFC 3339 writes it, and no other way, in UTC.

    It has microseconds, of which what keeps or compares it takes milliseconds: `cut` or `rounded_up`. A leap second is
    the first moment after it.

    Raises:
        ValueError: it is not written so, or MongoDB's driver can't hold it; the message begins with `must be`.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a time as RFC 3339 writes it, such as {EXAMPLE}, not {shown(text)}{_advice(text)}")
    try:
        return _moment(match)
    except OverflowError:
        raise ValueError(f"must be in the years 1 to 9999 in UTC, which {shown(text)} is not") from None
    except ValueError as error:
        raise ValueError(f"must be a time of the calendar, which {shown(text)} is not ({error})") from None


def cut(time: datetime) -> datetime:
    """The millisecond in which a moment lies."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def rounded_up(time: datetime) -> datetime:
    """The first whole millisecond that is not before a moment: what is kept before one is kept before the other.

    The last moment of the year 9999 has none, and is cut.
    """
    whole = cut(time)
    if whole == time:
        return whole
    try:
        return whole + _MILLISECOND
    except OverflowError:
        return whole


def check_past(time: datetime, name: str) -> datetime:
    """A moment that has passed, as it is kept.

    A clock may be ahead by a minute: what it takes for now is accepted, and kept as the time of its arrival.

    Raises:
        BadUserInput: it is still to come.
    """
    if time > datetime.now(UTC) + _MOST_AHEAD:
        message = f"{name} is {time.isoformat()}, which is still to come: send a time that has passed, or leave it out"
        raise BadUserInput(message)
    return cut(time)


def _moment(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    time = datetime(year, month, day, hour, minute, min(second, 59), _microseconds(match[7] or ""), _zone(match))
    time = time.astimezone(UTC)
    return time if second <= 59 else _after_leap_second(time, second)


def _zone(match: re.Match[str]) -> timezone:
    if match[8] is None:
        return UTC
    offset = timedelta(hours=int(match[9]), minutes=int(match[10]))
    return timezone(-offset if match[8] == "-" else offset)


def _microseconds(digits: str) -> int:
    """A fraction of a second, of any length; what is finer counts as one microsecond, so that `rounded_up` sees it."""
    whole = int(digits[:6].ljust(6, "0"))
    return whole + 1 if whole % 1000 == 0 and digits[6:].strip("0") else whole


def _after_leap_second(time: datetime, second: int) -> datetime:
    """The first moment after a leap second, which is the last second of a month in UTC."""
    after = time.replace(microsecond=0) + timedelta(seconds=1)
    if second > 60 or (after.day, after.hour, after.minute) != (1, 0, 0):
        raise ValueError("second must be in 0..59, or 60 in the last minute of a month in UTC")
    return after


def _advice(text: str) -> str:
    """How to write what lacks only an offset, or a time of the day."""
    for more in ("Z", "T00:00:00Z"):
        if len(text) < MOST_SHOWN and _RFC_3339.fullmatch(f"{text}{more}"):
            return f": write {text}{more} if that is UTC"
    return ""
