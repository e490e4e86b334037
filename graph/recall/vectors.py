"""Vectors of 8-bit integers: a quarter of the bytes of floats, and the same order of results."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GREATEST = 127
_BITS_OF_WORD = 64


def quantise(vector: NDArray[np.float32]) -> tuple[bytes, float]:
    """Return a vector of length 1 as 8-bit integers, and the factor back to floats.

    The scale makes the length of the result 1 again, so that the product of two vectors stays a cosine.
    """
    greatest = float(np.abs(vector).max(initial=0.0))
    if greatest == 0.0:
        return bytes(len(vector)), 0.0
    whole = np.rint(vector * (_GREATEST / greatest)).astype(np.int8)
    return whole.tobytes(), 1.0 / float(np.linalg.norm(whole.astype(np.float32)))


def signs_of(vectors: NDArray[np.int8] | NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return the signs of vectors, 1 for a positive number, as words of 64 bits of shape (words, rows)."""
    words = -(-vectors.shape[1] // _BITS_OF_WORD)
    packed = np.zeros((len(vectors), words * _BITS_OF_WORD // 8), np.uint8)
    packed[:, : -(-vectors.shape[1] // 8)] = np.packbits(vectors > 0, axis=1)
    return np.ascontiguousarray(packed.view(np.uint64).T)
