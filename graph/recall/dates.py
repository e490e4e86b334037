"""The dates that a query names, in English: days, months, years, and dates relative to now."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_MONTHS = {name.casefold(): number for number, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name.casefold(): number for number, name in enumerate(calendar.month_abbr) if name} | {"sept": 9}
_NAMES = "|".join(sorted(_MONTHS, key=len, reverse=True))
# These months are words as well: they count as months only after a preposition, or next to a number.
_ALSO_WORDS = frozenset({"may", "march", "mar", "jan", "dec", "sun"})
_WEEKDAYS = {name.casefold(): number for number, name in enumerate(calendar.day_name)}
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}

_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(\d{4}))?"
_MONTH_DAY = re.compile(rf"\b({_NAMES})\.?\s+{_DAY}\b{_YEAR}\b")
_DAY_MONTH = re.compile(rf"\b{_DAY}\s+(?:of\s+)?({_NAMES})\b{_YEAR}\b")
_MONTH = re.compile(rf"(\b(?:in|of|since|until|during|last|this|early|late|mid)\s+)?\b({_NAMES})\b(?:,?\s+(\d{{4}}))?")
_BARE_YEAR = re.compile(r"\b(19\d{2}|20\d{2})\b")
_AGO = re.compile(rf"\b(\d{{1,3}}|{'|'.join(_NUMBERS)})\s+(day|week|month|year)s?\s+ago\b")
_UNIT = re.compile(r"\b(last|this|previous)\s+(week|month|year)\b")
_WEEKDAY = re.compile(rf"\b(?:last|on)\s+({'|'.join(_WEEKDAYS)})\b")


@dataclass(frozen=True, slots=True)
class NamedDay:
    """A day."""

    day: date


@dataclass(frozen=True, slots=True)
class NamedMonth:
    """A month, of every year unless the text names one."""

    month: int
    year: int | None = None


@dataclass(frozen=True, slots=True)
class NamedSpan:
    """Days from the first to the last: a week, a month or a year relative to now."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class NamedYear:
    """A year."""

    year: int


Named = NamedDay | NamedMonth | NamedSpan | NamedYear


def named_dates(query: str, now: datetime) -> list[Named]:
    """Return the dates that a query names; each part of the query is read once.

    Args:
        query: the text.
        now: the reference time of relative dates.
    """
    text = query.casefold()
    today = now.astimezone(UTC).date()
    found: list[Named] = []
    for pattern, read in _READERS:
        rest: list[str] = []
        end = 0
        for match in pattern.finditer(text):
            dates = list(read(match, today))
            if dates:
                found += dates
                rest.append(text[end : match.start()])
                end = match.end()
        text = " | ".join([*rest, text[end:]])
    return list(dict.fromkeys(found))


def _day(year: int, month: int, day: int) -> Iterator[Named]:
    try:
        yield NamedDay(date(year, month, day))
    except ValueError:
        return  # there is no such day


def _iso(match: re.Match[str], _: date) -> Iterator[Named]:
    return _day(*map(int, match.groups()))


def _month_day(match: re.Match[str], today: date) -> Iterator[Named]:
    return _dated(match[1], match[2], match[3], today)


def _day_month(match: re.Match[str], today: date) -> Iterator[Named]:
    return _dated(match[2], match[1], match[3], today)


def _dated(month: str, day: str, year: str | None, today: date) -> Iterator[Named]:
    """Yield a day; without a year, the latest such day that is not in the future."""
    number = _MONTHS[month]
    if year is not None:
        return _day(int(year), number, int(day))
    past = (number, int(day)) <= (today.month, today.day)
    return _day(today.year if past else today.year - 1, number, int(day))


def _month(match: re.Match[str], _: date) -> Iterator[Named]:
    if match[2] in _ALSO_WORDS and match[1] is None and match[3] is None:
        return
    yield NamedMonth(_MONTHS[match[2]], None if match[3] is None else int(match[3]))


def _year(match: re.Match[str], _: date) -> Iterator[Named]:
    yield NamedYear(int(match[1]))


def _near_day(match: re.Match[str], today: date) -> Iterator[Named]:
    before = {"today": 0, "yesterday": 1, "the day before yesterday": 2}
    yield NamedDay(today - timedelta(days=before[match.group()]))


def _ago(match: re.Match[str], today: date) -> Iterator[Named]:
    count = _NUMBERS.get(match[1]) or (int(match[1]) if match[1].isdecimal() else 0)
    if match[2] == "day":
        yield NamedDay(today - timedelta(days=count))
    elif match[2] == "week":
        yield _week(today - timedelta(weeks=count))
    elif match[2] == "month":
        yield _month_before(today, count)
    elif count < today.year:
        yield NamedYear(today.year - count)


def _unit(match: re.Match[str], today: date) -> Iterator[Named]:
    count = 0 if match[1] == "this" else 1
    if match[2] == "week":
        yield _week(today - timedelta(weeks=count))
    elif match[2] == "month":
        yield _month_before(today, count)
    else:
        yield NamedSpan(date(today.year - count, 1, 1), date(today.year - count, 12, 31))


def _weekday(match: re.Match[str], today: date) -> Iterator[Named]:
    """Yield the last such day of the week before today."""
    yield NamedDay(today - timedelta(days=(today.weekday() - _WEEKDAYS[match[1]] - 1) % 7 + 1))


def _week(day: date) -> NamedSpan:
    monday = day - timedelta(days=day.weekday())
    return NamedSpan(monday, monday + timedelta(days=6))


def _month_before(today: date, count: int) -> NamedSpan:
    years, month = divmod(today.year * 12 + today.month - 1 - count, 12)
    first = date(years, month + 1, 1)
    return NamedSpan(first, first.replace(day=calendar.monthrange(years, month + 1)[1]))


_READERS = (
    (_ISO, _iso),
    (_MONTH_DAY, _month_day),
    (_DAY_MONTH, _day_month),
    (re.compile(r"\bthe day before yesterday\b|\byesterday\b|\btoday\b"), _near_day),
    (_AGO, _ago),
    (_UNIT, _unit),
    (_WEEKDAY, _weekday),
    (_MONTH, _month),
    (_BARE_YEAR, _year),
)
