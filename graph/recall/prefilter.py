"""A prefilter of scopes with many messages: one bit for each number of a vector, the sign.

The number of equal signs of two vectors estimates the angle between them (Charikar, 2002, Similarity estimation
techniques from rounding algorithms). The estimates take less than a third of the processor time of the cosines, and are
exact enough to choose the messages whose cosines are computed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graph.recall.vectors import signs_of

MOST_COMPARED = 100_000
"""Maximum rows whose cosines are all computed."""
CANDIDATES = 2_000
"""Rows chosen by each measure in a larger scope."""


def estimated_cosines(
    signs: NDArray[np.uint64], scales: NDArray[np.float32], vector: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return an estimate of the cosine of each row, with a standard deviation of 0.08 for 384 dimensions.

    Args:
        signs: the signs of the rows' vectors, from `signs_of`.
        scales: the scales of the rows' vectors; the estimate of a row with the scale 0 is 0.
        vector: the vector of the query.
    """
    differing = np.zeros(len(scales), np.uint16)
    for word, of_query in zip(signs, signs_of(vector[np.newaxis]), strict=True):
        differing += np.bitwise_count(word ^ of_query)
    by_count = np.cos(np.pi * np.arange(len(vector) + 1) / len(vector)).astype(np.float32)
    return np.where(scales > 0, by_count[differing], np.float32(0))


def candidates(*measures: NDArray[np.float32], most: int = CANDIDATES) -> NDArray[np.intp]:
    """Return the rows with the greatest values of each measure and the rows next to them, in order.

    Args:
        measures: a value for each row, at least one measure.
        most: the number of rows chosen by one measure.
    """
    is_chosen = np.zeros(len(measures[0]), np.bool_)
    for measure in measures:
        is_chosen[np.argpartition(measure, max(0, len(measure) - most))[-most:]] = True
    return with_neighbours(is_chosen)


def with_neighbours(is_chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the chosen rows and the rows next to them, in order."""
    is_next = is_chosen.copy()
    is_next[1:] |= is_chosen[:-1]
    is_next[:-1] |= is_chosen[1:]
    return np.flatnonzero(is_next)
