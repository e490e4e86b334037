"""The dates that queries name."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.recall.dates import Named, NamedDay, NamedMonth, NamedSpan, NamedYear, named_dates

NOW = datetime(2024, 6, 12, 9, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("what did she do in May?", [NamedMonth(5)]),
        ("May I see it?", []),
        ("the march to the sea", []),
        ("the trip of March 2023", [NamedMonth(3, 2023)]),
        ("August plans", [NamedMonth(8)]),
        ("on 7 May 2023", [NamedDay(date(2023, 5, 7))]),
        ("on May 7th, 2023", [NamedDay(date(2023, 5, 7))]),
        ("on May 7", [NamedDay(date(2024, 5, 7))]),
        ("on the 3rd of July", [NamedDay(date(2023, 7, 3))]),
        ("on 2023-05-07", [NamedDay(date(2023, 5, 7))]),
        ("on February 30, 2023", [NamedMonth(2), NamedYear(2023)]),
        ("back in 2022", [NamedYear(2022)]),
        ("yesterday", [NamedDay(date(2024, 6, 11))]),
        ("the day before yesterday", [NamedDay(date(2024, 6, 10))]),
        ("three days ago", [NamedDay(date(2024, 6, 9))]),
        ("last week", [NamedSpan(date(2024, 6, 3), date(2024, 6, 9))]),
        ("two weeks ago", [NamedSpan(date(2024, 5, 27), date(2024, 6, 2))]),
        ("last month", [NamedSpan(date(2024, 5, 1), date(2024, 5, 31))]),
        ("7 months ago", [NamedSpan(date(2023, 11, 1), date(2023, 11, 30))]),
        ("last year", [NamedSpan(date(2023, 1, 1), date(2023, 12, 31))]),
        ("last Friday", [NamedDay(date(2024, 6, 7))]),
        ("last Wednesday", [NamedDay(date(2024, 6, 5))]),
        ("nothing of the kind", []),
    ],
)
def test_dates_are_read(query: str, expected: list[Named]) -> None:
    assert named_dates(query, NOW) == expected


@given(st.text(st.sampled_from("0123456789- agolstmwekyrdhMJune."), max_size=60))
def test_any_text_is_read(query: str) -> None:
    assert len(named_dates(query, NOW)) <= len(query)
