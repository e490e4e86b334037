"""Choosing results that differ from each other: maximal marginal relevance (Carbonell and Goldstein, 1998)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graph.recall.columns import Columns
from graph.recall.scoring import Floats


def diversify(
    columns: Columns, rows: Sequence[int], scores: Sequence[float], relevance: float, limit: int
) -> list[int]:
    """Return the places of the chosen results, in the order of choice.

    Each choice is the greatest weighted difference of the score, divided by the greatest score, and the greatest cosine
    of the result and the ones before. A message without a vector is as similar to others as an unrelated one.

    Args:
        columns: the messages.
        rows: the rows of the results, best first.
        scores: their scores.
        relevance: weight of the score, from 0 to 1; the rest is the weight of the cosine.
        limit: maximum number of results.
    """
    if not rows:
        return []
    vectors = columns.vectors[np.array(rows)].astype(np.float32) * columns.scales[np.array(rows)][:, np.newaxis]
    relevances: Floats = np.array(scores, np.float32)
    relevances /= max(float(relevances.max()), 1e-9)
    nearest = np.zeros(len(rows), np.float32)
    left = np.ones(len(rows), np.bool_)
    chosen: list[int] = []
    while len(chosen) < min(limit, len(rows)):
        gains = np.where(left, relevance * relevances - (1 - relevance) * nearest, -np.inf)
        best = int(np.argmax(gains))
        chosen.append(best)
        left[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen
