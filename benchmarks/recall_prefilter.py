"""Prints what the prefilter of large scopes brings: `python -m benchmarks.recall_prefilter`.

The engine scores one user's messages in this process, with the cosines of all messages and with those of the candidates
alone. Rounds alternate; times are medians of processor time. The messages are random words with random vectors, of
which no query has near ones: real messages are easier to tell apart.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from benchmarks.report import Report
from graph.enrichment.models import use_one_thread
from graph.recall.columns import Columns, columns_of
from graph.recall.query import read_query
from graph.recall.scoring import Floats, signals
from graph.store.documents import now
from tests.support.embedded_messages import DIMENSION, LongSession, entry_with

FIRST = 10
ROUNDS = 7


def main() -> None:
    """Measure one size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recall_prefilter", description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    given = parser.parse_args()
    use_one_thread()
    report = Report()
    columns = _columns(given.messages)
    report.head(f"{given.messages:,} messages")
    random = np.random.default_rng(1)
    times: list[tuple[float, float]] = []
    same = []
    for number in range(ROUNDS):
        vector = random.standard_normal(DIMENSION).astype(np.float32)
        vector /= np.linalg.norm(vector)
        text = f"word{number} word{number * 7} word{number * 31}"
        every, took = _score(columns, text, vector, given.messages)
        some, took_less = _score(columns, text, vector, given.messages - 1)
        times.append((took, took_less))
        same.append(len(set(_first(every)) & set(_first(some))) / FIRST)
    report.line(f"ms with all cosines: {statistics.median(each for each, _ in times):.1f}")
    report.line(f"ms with those of candidates: {statistics.median(each for _, each in times):.1f}")
    report.line(f"ratio: {statistics.median(slow / fast for slow, fast in times):.2f}")
    report.line(f"the first {FIRST} results that are the same: {statistics.mean(same):.0%}")


def _columns(count: int) -> Columns:
    entries = (entry_with(*pair) for pair in LongSession(1, "u", count, "model").messages())
    return columns_of(entries, DIMENSION)


def _score(columns: Columns, text: str, vector: Floats, most_compared: int) -> tuple[Floats, float]:
    query = read_query(text, columns.speakers, columns.languages, now())
    began = time.thread_time()
    total = signals(columns, query, vector, most_compared=most_compared).total()
    return total, (time.thread_time() - began) * 1_000


def _first(scores: Floats) -> list[int]:
    found: list[int] = np.argsort(-scores, kind="stable")[:FIRST].tolist()
    return found


if __name__ == "__main__":
    main()
