"""Exact inner product search that reads each vector at half its size.

A scan of thousands of vectors waits for memory: on a page, where other work has used the cache since,
it takes twice as long as in a loop of its own. Copies of 16 bits halve that. What their rounding leaves open,
which titles are among the first k, is settled by the full vectors of the few it concerns.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import faiss as typed_faiss
import numpy as np
from numpy.typing import NDArray

faiss: Any = typed_faiss  # its stubs leave out search parameters

LARGEST: Final = 65_504.0
"""The largest number of 16 bits."""
_ROUNDING: Final = 2.0**-11
"""Of a number of 16 bits, relative; below 2**-14 the error is at most 2**-25."""
_SMALLEST_ERROR: Final = 2.0**-25
_SUMMATION: Final = 1.05
"""For the rounding of the sums themselves, which is hundreds of times smaller."""
_SPARE: Final = 100


class HalfScan:
    """Scans 16-bit copies of ``vectors`` (N, d), whose numbers are at most LARGEST."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        dimensions = vectors.shape[1]
        self._vectors = vectors
        self._copies = faiss.IndexScalarQuantizer(
            dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        self._copies.train(vectors)
        self._copies.add(vectors)
        lengths = np.linalg.norm(vectors, axis=1)
        self._errors = (lengths * _ROUNDING + np.sqrt(dimensions) * _SMALLEST_ERROR) * _SUMMATION
        self._largest_error = float(self._errors.max(initial=0.0))
        self._of_thread = threading.local()

    def search(
        self, query: NDArray[np.float32], k: int, eligible: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the inner products and numbers of the first ``k`` vectors among ``eligible`` (N,).

        Which ones are the first is exact; where it was not in doubt, a product has the error of 16 bits.
        """
        wanted = min(k + _SPARE, len(self._vectors))
        only = None if eligible is None else self._only(eligible)
        found = self._copies.search(query[None, :], wanted, params=only)
        scores, numbers = found[0][0], found[1][0]
        if numbers[-1] < 0:  # so many are not eligible; what is missing stands at the end
            present = int(np.count_nonzero(numbers >= 0))
            scores, numbers = scores[:present], numbers[:present]
        if len(numbers) <= k:
            return scores, numbers
        length = float(np.sqrt(query @ query))
        slack = length * self._errors[numbers]
        certain = scores[k - 1] - slack[:k].max()  # k of them have at least this
        unseen = len(numbers) == wanted < len(self._vectors)
        if unseen and scores[-1] + length * self._largest_error >= certain:
            return self._search_in_full(query, k, eligible)
        doubted = scores[k] + slack[k:].max()  # at most k of them have more than this
        in_doubt = np.flatnonzero((scores + slack >= certain) & (scores - slack <= doubted))
        scores[in_doubt] = self._vectors[numbers[in_doubt]] @ query
        order = np.argsort(-scores, kind="stable")[:k]
        return scores[order], numbers[order]

    def _only(self, eligible: NDArray[np.bool_]) -> Any:
        """Return what tells faiss which vectors count; each thread has one, filled anew for each search.

        On a page, making one takes a tenth of a scan.
        """
        mine = self._of_thread
        if not hasattr(mine, "parameters"):
            mine.bits = np.zeros(-(-len(self._vectors) // 8), np.uint8)
            mine.parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(mine.bits))
        mine.bits[:] = np.packbits(eligible, bitorder="little")
        return mine.parameters

    def _search_in_full(
        self, query: NDArray[np.float32], k: int, eligible: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        scores = self._vectors @ query
        numbers = np.arange(len(scores)) if eligible is None else np.flatnonzero(eligible)
        order = numbers[np.argsort(-scores[numbers], kind="stable")[:k]]
        return scores[order], order
