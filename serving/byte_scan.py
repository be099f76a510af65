"""Exact inner product search that reads each vector at a quarter of its size.

A scan of thousands of vectors waits for memory, most of all on a page, where other work has used the cache
since. Copies of 8 bits are a quarter to read. What their rounding leaves open, which titles are among the
first k, is settled by the full vectors of the few it concerns. By Cauchy-Schwarz a product is off by at most
the length of what was rounded away times that of the other vector, so that each lies between two known
numbers; a vector whose upper one is below the lower ones of k others is not among the first.
"""

from __future__ import annotations

import math
from typing import Final

import numkong
import numpy as np
from numpy.typing import NDArray

LARGEST: Final = 1e15
"""The largest number of a vector: products and their bounds stay far from where 32 bits end."""
_LEVELS: Final = 127
_SMALLEST_STEP: Final = 1e-36
"""Smaller ones would lose their own digits; what is smaller is rounded away, which its bound knows."""
_OUT: Final = np.float32(1e37)
"""Taken off the lower bound of what is not eligible: beyond every product."""
_MARGIN: Final = 1.01
_ROUNDING: Final = 2.0**-19
"""Of a product, in lengths of its vectors; with the margin it covers what sums of 32 bits lose themselves."""


class ByteScan:
    """Scans 8-bit copies of ``vectors`` (N, d), whose numbers are at most LARGEST."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = vectors
        steps = np.abs(vectors).max(axis=1, initial=0) / np.float32(_LEVELS)
        self._steps = np.where(steps < _SMALLEST_STEP, np.float32(1), steps)
        copies = np.rint(vectors / self._steps[:, None]).astype(np.int8)
        self._copies = numkong.dots_pack(copies)
        restored = np.multiply(copies, self._steps[:, None], dtype=np.float32)
        lost, lengths = _lengths(vectors - restored), _lengths(restored)
        errors = np.stack([lost + _ROUNDING * (lost + lengths), lengths]) * _MARGIN
        self._errors: NDArray[np.float32] = errors.astype(np.float32)

    def search(
        self, query: NDArray[np.float32], k: int, eligible: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return numbers and inner products of the first ``k`` vectors among ``eligible`` (N,), best first.

        The products are those of the full vectors; equal ones come in any order.
        """
        lower, upper = self._bounds(query)
        reached = -np.inf
        if 0 < k < len(lower):
            lower -= ~eligible * _OUT
            lower.partition(len(lower) - k)
            reached = lower[-k]  # k of the eligible have at least this, where there are so many
        in_question = ((upper >= reached) & eligible).nonzero()[0]
        products = self._vectors.take(in_question, axis=0) @ query
        order = np.argsort(-products)[:k]
        return in_question[order], products[order]

    def _bounds(self, query: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what each product (N,) is at least and at most, in steps of the query's 8 bits."""
        step = float(np.abs(query).max(initial=0)) / _LEVELS
        if step < _SMALLEST_STEP:
            step = 1.0
        steps = query / step
        rounded = np.rint(steps)
        lost = steps - rounded
        lengths = np.array([math.sqrt(steps @ steps), math.sqrt(lost @ lost)], np.float32)
        errors = lengths @ self._errors
        counts = numkong.dots_packed(rounded.astype(np.int8)[None, :], self._copies)
        products = np.asarray(counts)[0].astype(np.float32)
        products *= self._steps
        lower = products - errors
        products += errors
        return lower, products


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    return np.sqrt(squares)
