"""Nearest titles to a vector: exact where exact is faster, a graph above that."""

from __future__ import annotations

from typing import Any, Final

import faiss as typed_faiss
import numpy as np
from numpy.typing import NDArray

from serving.catalogue import Mask, Rows
from serving.half_scan import LARGEST, HalfScan

faiss: Any = typed_faiss  # its stubs leave out search parameters

EXACT_UP_TO: Final = 100_000
"""Titles. Up to here a flat scan is as fast as a graph of the same recall, and it is exact."""
HALVED_FROM: Final = 4_000
"""Titles. Fewer stay in the processor's cache, and are scanned as they are."""
_GRAPH_NEIGHBOURS: Final = 32
_MIN_SEARCH_WIDTH: Final = 600


class VectorIndex:
    """Maximum inner product search over the titles that have a vector.

    A zero vector means "no interactions": its score of 0 would beat every disliked title, so such
    titles are left out.
    """

    def __init__(
        self, vectors: NDArray[np.float32], exact_up_to: int = EXACT_UP_TO, likely_first: Rows | None = None
    ) -> None:
        """Build from ``vectors`` (T, d); raises ``ValueError`` naming a row that is not finite.

        ``likely_first`` (T,) orders the rows by how likely they are found: a scan that meets the best early
        rarely changes its mind after, which saves it a third of its time. It finds the same in any order.
        """
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            raise ValueError(f"title vector {int(np.argmin(finite))} is not finite; publish a clean bundle")
        self._titles = len(vectors)
        self._has_vector: Mask = np.any(vectors != 0, axis=1)
        order = np.arange(len(vectors)) if likely_first is None else likely_first
        self._rows: Rows = order[self._has_vector[order]]
        self.exact = len(self._rows) <= exact_up_to
        kept = np.ascontiguousarray(vectors[self._rows])
        halved = self.exact and len(kept) >= HALVED_FROM and float(np.abs(kept).max()) <= LARGEST
        self._halved = HalfScan(kept) if halved else None
        self._index = None if halved else _build(kept, self.exact)

    def has(self, row: int) -> bool:
        """Say whether this title can be found."""
        return bool(self._has_vector[row])

    def has_any(self, eligible: Mask) -> bool:
        """Say whether any of these titles (T,) can be found."""
        return bool((self._has_vector & eligible).any())

    def search(
        self, vector: NDArray[np.float32], k: int, eligible: Mask | None = None
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Return up to ``k`` rows with their inner products, best first, among ``eligible`` (T,)."""
        wanted = min(k, len(self._rows))
        if wanted == 0:
            return np.empty(0, np.intp), np.empty(0, np.float32)
        query = np.ascontiguousarray(vector, dtype=np.float32)
        if self._halved is not None:
            of_these = None if eligible is None else eligible.take(self._rows)
            best, numbers = self._halved.search(query, wanted, of_these)
            return self._rows[numbers], best
        assert self._index is not None
        scores, found = self._index.search(query[None], wanted, params=self._parameters(wanted, eligible))
        present = found[0] >= 0
        return self._rows[found[0][present]], scores[0][present]

    def _parameters(self, k: int, eligible: Mask | None) -> Any:
        selector = None
        if eligible is not None:
            selector = faiss.IDSelectorBitmap(np.packbits(eligible[self._rows], bitorder="little"))
        if self.exact:
            return faiss.SearchParameters(sel=selector)
        # A beam narrower than k would cut the answer short.
        return faiss.SearchParametersHNSW(sel=selector, efSearch=max(k, _MIN_SEARCH_WIDTH))


def _build(vectors: NDArray[np.float32], exact: bool) -> Any:
    dimensions = vectors.shape[1]
    if exact:
        index: Any = faiss.IndexFlatIP(dimensions)
    else:
        # Without the metric, faiss measures L2 and its "scores" are distances.
        index = faiss.IndexHNSWFlat(dimensions, _GRAPH_NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    index.add(vectors)
    return index
