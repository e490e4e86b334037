"""The score of messages, against the formula computed message by message, and on a few conversations."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.recall.columns import columns_of, updated
from graph.recall.dates import NamedDay, NamedMonth, NamedSpan, NamedYear
from graph.recall.entries import Entry, entry_of, words_of
from graph.recall.prefilter import MOST_COMPARED
from graph.recall.query import Query, read_query
from graph.recall.questions import Flag
from graph.recall.scoring import signals
from graph.recall.terms import pack_terms
from graph.recall.vectors import quantise
from tests.recall import scoring_oracle
from tests.support.columns import check_columns, entries_in

DIMENSION = 4
NOW = datetime(2024, 6, 12, 12, tzinfo=UTC)
HASHES = st.integers(0, 12).map(lambda number: number * 350_000_000)
DAYS = st.dates(date(2022, 12, 20), date(2024, 2, 10))
VECTORS = st.lists(st.integers(-10, 10), min_size=DIMENSION, max_size=DIMENSION).map(
    lambda numbers: np.array(numbers, np.float32) / max(1.0, float(np.linalg.norm(numbers)))
)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    places = draw(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30)), min_size=1, max_size=20, unique=True))
    return [draw(entry(session_id, seq)) for session_id, seq in places]


@st.composite
def entry(draw: st.DrawFn, session_id: str, seq: int) -> Entry:
    vector, scale = draw(st.just((b"", 0.0)) | VECTORS.map(quantise))
    return Entry(
        message_id=f"{session_id}{seq}",
        session_id=session_id,
        seq=seq,
        role=draw(st.sampled_from(["user", "assistant"])),
        speaker=draw(st.sampled_from(["user", "assistant", "Ann"])),
        at=datetime.combine(draw(DAYS), draw(st.times()), UTC),
        language="english",
        packed_terms=pack_terms(draw(st.dictionaries(HASHES, st.integers(1, 5), max_size=6))),
        flags=Flag(draw(st.integers(0, 31))),
        vector=vector,
        scale=scale,
    )


QUERIES = st.builds(
    Query,
    words=st.lists(st.frozensets(HASHES, min_size=1, max_size=3), max_size=4, unique=True),
    embedded=st.just(""),
    speakers=st.frozensets(st.sampled_from(["user", "assistant", "Ann", "Bob"])),
    dates=st.lists(
        st.builds(NamedDay, DAYS)
        | st.builds(NamedMonth, st.integers(1, 12), st.none() | st.integers(2022, 2024))
        | st.builds(lambda day, more: NamedSpan(day, day + timedelta(days=more)), DAYS, st.integers(0, 40))
        | st.builds(NamedYear, st.integers(2022, 2024)),
        max_size=3,
    ),
    asked=st.sampled_from([Flag(0), Flag.TIME, Flag.PLACE, Flag.PERSON, Flag.NUMBER]),
    phrases=st.just(()),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(entries(), QUERIES, st.none() | VECTORS, st.sampled_from([0, MOST_COMPARED]))
def test_the_engine_computes_the_formula(
    messages: list[Entry],
    query: Query,
    vector: np.ndarray[tuple[int], np.dtype[np.float32]] | None,
    most_compared: int,
) -> None:
    columns = columns_of(messages, DIMENSION)
    totals = signals(columns, query, vector, most_compared=most_compared).total()
    found = dict(zip(columns.message_ids, totals.tolist(), strict=True))
    expected = scoring_oracle.scores(messages, query, None if vector is None else vector.tolist())
    assert found == pytest.approx(expected, abs=1e-4)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(entries(), QUERIES, st.none() | VECTORS)
def test_a_scaled_score_is_between_0_and_1_in_the_same_order(
    messages: list[Entry], query: Query, vector: np.ndarray[tuple[int], np.dtype[np.float32]] | None
) -> None:
    found = signals(columns_of(messages, DIMENSION), query, vector)
    scaled = found.scaled()
    assert scaled.min() >= 0
    assert scaled.max() <= 1
    assert (np.diff(scaled[np.argsort(found.total())]) >= 0).all()


def test_a_scope_without_messages_has_no_scores() -> None:
    columns = columns_of([], DIMENSION)
    assert signals(columns, read_query("a sister", [], [], NOW), np.ones(DIMENSION, np.float32)).total().size == 0


def test_a_vector_of_another_model_counts_as_none() -> None:
    columns = columns_of([_said(1, "user", "hello", vector=(bytes(8), 1.0))], DIMENSION)
    assert columns.scales.tolist() == [0.0]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(entries(), st.lists(entries(), max_size=3))
def test_updated_columns_are_the_columns_of_the_newest_messages(first: list[Entry], later: list[list[Entry]]) -> None:
    columns, newest = columns_of(first, DIMENSION), {entry.message_id: entry for entry in first}
    for changed in later:
        columns = updated(columns, changed)
        newest |= {entry.message_id: entry for entry in changed}
        check_columns(columns)
        assert entries_in(columns) == entries_in(columns_of(newest.values(), DIMENSION))


def test_columns_of_no_message_are_updated() -> None:
    columns = updated(columns_of([], DIMENSION), [_said(1, "user", "hello")])
    assert entries_in(columns) == entries_in(columns_of([_said(1, "user", "hello")], DIMENSION))


def _said(seq: int, speaker: str, content: str, *, vector: tuple[bytes, float] = (b"", 0.0)) -> Entry:
    at = NOW - timedelta(days=100 - seq)
    return entry_of(str(seq), "s", seq, role="user", name=speaker, words=words_of(content), at=at, embedded=vector)


def _best(query: str, messages: list[Entry]) -> str:
    columns = columns_of(messages, 0)
    asked = read_query(query, columns.speakers, columns.languages, NOW)
    return str(columns.message_ids[int(np.argmax(signals(columns, asked).total()))])


def test_inflected_words_are_found() -> None:
    messages = [
        _said(1, "user", "We were hiking in the mountains all day"),
        _said(2, "user", "Dinner was very good, and late"),
        _said(3, "user", "Wir haben gestern neue Bücher gekauft und die Katzen gefüttert"),
        _said(4, "user", "昨日は新しい図書館に行きました"),
    ]
    assert _best("Did I hike a mountain?", messages) == "1"
    assert _best("Wer hat die Katze gefüttert?", messages) == "3"
    assert _best("図書館", messages) == "4"


def test_who_is_named_is_preferred() -> None:
    messages = [
        _said(1, "Caroline", "I went to the support group"),
        _said(2, "Melanie", "I went to the support group"),
    ]
    assert _best("When did Caroline go to the support group?", messages) == "1"
    assert _best("When did Melanie go to the support group?", messages) == "2"


def test_the_name_of_a_speaker_leaves_the_query() -> None:
    query = read_query("When did Caroline go to Melanie's group?", ["Caroline", "Melanie"], ["english"], NOW)
    assert query.embedded == "When did I go to my group?"
    assert query.speakers == {"Caroline", "Melanie"}
    assert len(query.words) == 2  # go, group
    assert query.asked == Flag.TIME
