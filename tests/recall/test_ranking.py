"""The order of results and the parts of it, against a sorted list."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.recall.columns import columns_of
from graph.recall.entries import Entry, entry_of, words_of
from graph.recall.query import read_query
from graph.recall.ranking import MILLION, Ranking, rank

NOW = datetime(2024, 6, 12, 12, tzinfo=UTC)
TEXTS = st.sampled_from(["a job", "a job in Berlin", "the job of a sister, a job", "soup", "rain on the mountain"])
IDS = st.text("abAB-ä", min_size=1, max_size=3)


def _entry(message_id: str, session_id: str, seq: int, text: str) -> Entry:
    return entry_of(message_id, session_id, seq, role="user", words=words_of(text), at=NOW)


ENTRIES = st.lists(st.tuples(IDS, st.sampled_from("xy"), TEXTS), max_size=12, unique_by=lambda one: one[0]).map(
    lambda said: [_entry(message_id, session, seq, text) for seq, (message_id, session, text) in enumerate(said)]
)


def _ranked(messages: list[Entry], allowed: list[bool] | None = None) -> Ranking:
    columns = columns_of(messages, 0)
    return rank(
        columns,
        read_query("job sister", columns.speakers, columns.languages, NOW),
        allowed=None if allowed is None else np.array(allowed, np.bool_),
    )


def _listed(ranking: Ranking) -> list[tuple[int, str]]:
    return [(score, ranking.columns.message_ids[row]) for row, score in ranking.rows(slice(None))]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ENTRIES)
def test_results_are_sorted_by_score_and_id(messages: list[Entry]) -> None:
    found = _listed(_ranked(messages))
    assert found == sorted(found, key=lambda one: (-one[0], one[1]))
    assert len({message_id for _, message_id in found}) == len(found)
    assert all(0 <= score <= MILLION for score, _ in found)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ENTRIES)
def test_the_parts_of_a_score_add_up_to_it(messages: list[Entry]) -> None:
    ranking = _ranked(messages)
    found = list(ranking.rows(slice(None)))
    for (_, score), parts in zip(found, ranking.score_parts([row for row, _ in found]), strict=True):
        assert min(max(sum(parts.values()), 0), 1) * MILLION == pytest.approx(score, abs=1)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ENTRIES, IDS, st.integers(0, MILLION) | st.sampled_from([-(2**63), 2**63]), st.data())
def test_bounds_split_the_results_at_any_place(
    messages: list[Entry], message_id: str, score: int, data: st.DataObject
) -> None:
    ranking = _ranked(messages)
    found = _listed(ranking)
    place = data.draw(st.sampled_from([*found, (score, message_id)]))
    keys = [(-score, message_id) for score, message_id in found]
    key = (-place[0], place[1])
    assert ranking.bounds(*place) == (sum(one < key for one in keys), sum(one <= key for one in keys))


def test_only_allowed_rows_are_found() -> None:
    messages = [_entry(message_id, "s", seq, "a job") for seq, message_id in enumerate("cab")]
    assert [message_id for _, message_id in _listed(_ranked(messages, [True, False, True]))] == ["b", "c"]
    assert len(_ranked(messages, [False] * 3)) == 0


@pytest.mark.parametrize("part", [slice(0, 2), slice(1, 1), slice(2, 9)])
def test_a_part_is_a_slice_of_the_results(part: slice) -> None:
    ranking = _ranked([_entry(message_id, "s", seq, "a job") for seq, message_id in enumerate("cab")])
    assert list(ranking.rows(part)) == list(ranking.rows(slice(None)))[part]
