"""The estimates of the cosines, and the candidates that they choose."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graph.recall.columns import Columns, columns_of, updated
from graph.recall.entries import Entry
from graph.recall.prefilter import CANDIDATES, candidates, estimated_cosines
from graph.recall.query import Query
from graph.recall.questions import Flag
from graph.recall.scoring import signals
from graph.recall.terms import pack_terms
from graph.recall.vectors import quantise, signs_of

Floats = NDArray[np.float32]
AT = datetime(2024, 6, 12, tzinfo=UTC)
COMMON, RARE = 7, 11


def unit(vectors: NDArray[np.floating[Any]]) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    found: Floats = (vectors / lengths).astype(np.float32)
    return found


def query_of(*words: int) -> Query:
    return Query([frozenset([word]) for word in words], "", frozenset(), [], Flag(0), ())


@pytest.mark.parametrize("dimension", [100, 384])
def test_an_estimate_is_near_the_cosine(dimension: int) -> None:
    random = np.random.default_rng(1)
    query = unit(random.standard_normal(dimension))
    near = random.uniform(0, 1, (2_000, 1))
    vectors = unit(near * query + (1 - near) * unit(random.standard_normal((2_000, dimension))))
    scales = np.ones(2_000, np.float32)
    scales[0] = 0
    estimated = estimated_cosines(signs_of(vectors), scales, query)
    assert estimated[0] == 0
    errors = estimated[1:] - (vectors @ query)[1:]
    assert abs(errors.mean()) < 0.02
    assert errors.std() < 1.6 / np.sqrt(dimension)


def test_candidates_are_the_greatest_of_each_measure_and_their_neighbours() -> None:
    first, second = np.zeros((2, 100), np.float32)
    first[[10, 20]] = 1, 2
    second[[0, 99]] = 1, 2
    assert candidates(first, second, most=2).tolist() == [0, 1, 9, 10, 11, 19, 20, 21, 98, 99]


@pytest.mark.parametrize("dimension", [0, 4, 100])
def test_added_messages_have_their_signs_whatever_the_dimension(dimension: int) -> None:
    random = np.random.default_rng(3)
    entries = [entry(number, unit(random.standard_normal(dimension))) for number in range(12)]
    added = updated(columns_of(entries[::2], dimension), entries[1::2])
    assert added.signs.tolist() == signs_of(added.vectors).tolist()
    assert added.signs.tolist() == columns_of(entries, dimension).signs.tolist()


def entry(number: int, vector: Floats, terms: bytes = b"") -> Entry:
    whole, scale = quantise(vector)
    return Entry(
        message_id=f"m{number}",
        session_id=f"s{number // 100}",
        seq=number % 100 + 1,
        role="user",
        speaker="user",
        at=AT,
        language="english",
        packed_terms=terms,
        flags=Flag(0),
        vector=whole,
        scale=scale,
    )


ROWS = 6 * CANDIDATES


@pytest.fixture(scope="module")
def topics() -> Floats:
    return unit(np.random.default_rng(2).standard_normal((300, 384)))


@pytest.fixture(scope="module")
def columns(topics: Floats) -> Columns:
    """Messages near topics, a hundred to a topic."""
    random = np.random.default_rng(4)
    vectors = unit(topics[random.integers(0, 300, ROWS)] + unit(random.standard_normal((ROWS, 384))))
    packed = [pack_terms({COMMON: 1}), pack_terms({RARE: 1}), b""]
    entries = [
        entry(number, vector, packed[0 if number % 3 == 0 else 1 if number % 1_000 == 1 else 2])
        for number, vector in enumerate(vectors)
    ]
    return columns_of(entries, 384)


def test_the_first_results_are_those_of_a_comparison_with_each_message(columns: Columns, topics: Floats) -> None:
    for topic in topics[:5]:
        query = query_of(COMMON, RARE)
        exact = signals(columns, query, topic).total()
        found = signals(columns, query, topic, most_compared=ROWS - 1).total()
        first = np.argsort(-exact)[:100]
        assert np.argsort(-found)[:100].tolist() == first.tolist()
        assert found[first].tolist() == pytest.approx(exact[first].tolist(), abs=1e-5)


@pytest.mark.parametrize("share", [0.01, 0.9])
def test_the_candidates_are_among_the_messages_that_a_filter_allows(
    columns: Columns, topics: Floats, share: float
) -> None:
    """Few messages are all compared, however many others are nearer."""
    exact = signals(columns, query_of(COMMON), topics[0])
    total = exact.total()
    allowed = total <= np.quantile(total, share)  # the nearest are not allowed
    found = signals(columns, query_of(COMMON), topics[0], allowed=allowed, most_compared=ROWS // 2)
    assert exact.cosine is not None
    assert found.cosine is not None
    first, shown = ([row for row in np.argsort(-scores) if allowed[row]][:100] for scores in (total, found.total()))
    assert len(set(first) & set(shown)) > 90, "those next to the nearest have scores that differ by little"
    if share < 0.5:
        assert found.cosine[allowed].tolist() == pytest.approx(exact.cosine[allowed].tolist(), abs=1e-5)
