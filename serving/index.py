"""Nearest titles to a vector: exact where exact is faster, a graph above that."""

from __future__ import annotations

from typing import Any, Final

import faiss as typed_faiss
import numpy as np
from numpy.typing import NDArray

from serving.byte_scan import LARGEST, ByteScan
from serving.catalogue import Mask, Rows

faiss: Any = typed_faiss  # its stubs leave out search parameters

EXACT_UP_TO: Final = 100_000
"""Titles. Up to here a scan is as fast as a graph of the same recall, and it is exact."""
_GRAPH_NEIGHBOURS: Final = 32
_MIN_SEARCH_WIDTH: Final = 600


class VectorIndex:
    """Maximum inner product search over the titles that have a vector.

    A zero vector means "no interactions": its score of 0 would beat every disliked title, so such
    titles are left out.
    """

    def __init__(self, vectors: NDArray[np.float32], exact_up_to: int = EXACT_UP_TO) -> None:
        """Build from ``vectors`` (T, d); raises ``ValueError`` naming a row that no model can have made."""
        sound = (np.abs(vectors) <= LARGEST).all(axis=1)
        if not sound.all():
            row = int(np.argmin(sound))
            raise ValueError(
                f"title vector {row} is not finite or has a number beyond {LARGEST:g}; publish a clean bundle"
            )
        self._has_vector: Mask = np.any(vectors != 0, axis=1)
        self.exact = int(np.count_nonzero(self._has_vector)) <= exact_up_to
        self._searched: ByteScan | _Graph = (
            ByteScan(np.ascontiguousarray(vectors))
            if self.exact
            else _Graph(vectors, np.flatnonzero(self._has_vector))
        )

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
        query = np.ascontiguousarray(vector, dtype=np.float32)
        allowed = self._has_vector if eligible is None else self._has_vector & eligible
        return self._searched.search(query, k, allowed)


class _Graph:
    """A graph (HNSW) over some ``rows`` of ``vectors``."""

    def __init__(self, vectors: NDArray[np.float32], rows: Rows) -> None:
        self._rows = rows
        # Without the metric, faiss measures L2 and its "scores" are distances.
        self._index = faiss.IndexHNSWFlat(vectors.shape[1], _GRAPH_NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        self._index.add(np.ascontiguousarray(vectors[rows]))

    def search(self, query: NDArray[np.float32], k: int, allowed: Mask) -> tuple[Rows, NDArray[np.float32]]:
        wanted = min(k, len(self._rows))
        if wanted == 0:
            return np.empty(0, np.intp), np.empty(0, np.float32)
        only = faiss.IDSelectorBitmap(np.packbits(allowed[self._rows], bitorder="little"))
        # A beam narrower than k would cut the answer short.
        parameters = faiss.SearchParametersHNSW(sel=only, efSearch=max(wanted, _MIN_SEARCH_WIDTH))
        scores, found = self._index.search(query[None], wanted, params=parameters)
        present = found[0] >= 0
        return self._rows[found[0][present]], scores[0][present]
