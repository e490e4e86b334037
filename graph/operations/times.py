"""Times from callers: in the format of RFC 3339, and stored in milliseconds, as MongoDB does."""

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
"""Maximum time by which the clock of a caller may be ahead."""
_MILLISECOND = timedelta(milliseconds=1)


def read_time(text: str) -> datetime:
    """Read a time in the format of RFC 3339, and no other one; return it in UTC.

    The result has microseconds; before it is stored or compared, `cut` or `rounded_up` converts it to milliseconds. A
    leap second becomes the first moment after it.

    Raises:
        ValueError: the text is not such a time, or MongoDB's driver can't hold it; the message begins with `must be`.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(
            f"must be a time in the format of RFC 3339, such as {EXAMPLE}, not {shown(text)}{_advice(text)}"
        )
    try:
        return _moment(match)
    except OverflowError:
        raise ValueError(f"must be in the years 1 to 9999 in UTC, which {shown(text)} is not") from None
    except ValueError as error:
        raise ValueError(f"must be a time of the calendar, which {shown(text)} is not ({error})") from None


def cut(time: datetime) -> datetime:
    """Round a time down to milliseconds."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def rounded_up(time: datetime) -> datetime:
    """Round a time up to milliseconds: a stored time is before the result exactly if it is before the given time.

    The last moment of the year 9999 is rounded down.
    """
    whole = cut(time)
    if whole == time:
        return whole
    try:
        return whole + _MILLISECOND
    except OverflowError:
        return whole


def check_past(time: datetime, name: str) -> datetime:
    """Check that a time is not in the future; return it in milliseconds.

    The caller's clock may be ahead by a minute: a time within that minute becomes the current time.

    Raises:
        BadUserInput: the time is in the future.
    """
    if time > datetime.now(UTC) + _MOST_AHEAD:
        message = f"{name} is {time.isoformat()}, which is still to come: send a time that has passed, or leave it out"
        raise BadUserInput(message)
    return cut(time)


def check_to_come(time: datetime, name: str) -> datetime:
    """Check that a time is in the future; return it in milliseconds.

    Raises:
        BadUserInput: the time has passed.
    """
    if time <= datetime.now(UTC):
        message = f"{name} is {time.isoformat()}, which has passed: send a time that is still to come, or leave it out"
        raise BadUserInput(message)
    return rounded_up(time)


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
    """Return the microseconds of a fraction of a second; a finer rest counts as one, so that `rounded_up` rounds."""
    whole = int(digits[:6].ljust(6, "0"))
    return whole + 1 if whole % 1000 == 0 and digits[6:].strip("0") else whole


def _after_leap_second(time: datetime, second: int) -> datetime:
    """Return the first moment after a leap second, which is the last second of a month in UTC."""
    after = time.replace(microsecond=0) + timedelta(seconds=1)
    if second > 60 or (after.day, after.hour, after.minute) != (1, 0, 0):
        raise ValueError("second must be in 0..59, or 60 in the last minute of a month in UTC")
    return after


def _advice(text: str) -> str:
    """Return the corrected text if only the offset or the time of the day is missing."""
    for more in ("Z", "T00:00:00Z"):
        if len(text) < MOST_SHOWN and _RFC_3339.fullmatch(f"{text}{more}"):
            return f": write {text}{more} if that is UTC"
    return ""
