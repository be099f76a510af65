"""The models of one bundle, made ready to answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.candidates.charts import Charts
from serving.catalogue import Rows
from serving.index import VectorIndex
from serving.ranking import Ranker
from serving.vectors import ModelVectors
from training.bundle import Bundle

_NEIGHBOURS: Final = 200
_CACHED_TITLES: Final = 4096


class Neighbours:
    """Title-to-title similarity: cosine of the collaborative vectors, so that fame alone is no likeness."""

    def __init__(self, factors: NDArray[np.float32]) -> None:
        lengths = np.linalg.norm(factors, axis=1, keepdims=True)
        self._units = (factors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        self._index = VectorIndex(self._units)
        self.of = lru_cache(maxsize=_CACHED_TITLES)(self._search)

    def _search(self, row: int, k: int = _NEIGHBOURS) -> tuple[Rows, NDArray[np.float32]]:
        """Return up to ``k`` titles like this one with their cosines, best first, itself left out.

        Empty for a title without a vector.
        """
        if not self._index.has(row):
            return np.empty(0, np.intp), np.empty(0, np.float32)
        rows, scores = self._index.search(self._units[row], k + 1)
        others = rows != row
        return rows[others][:k], scores[others][:k]


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """What one bundle brings, indexed by the bundle's title rows."""

    version: str
    index: VectorIndex
    neighbours: Neighbours
    popularity: Charts
    trending: Charts
    ranker: Ranker
    vectors: ModelVectors

    @classmethod
    def of(cls, bundle: Bundle) -> Models:
        """Build indexes and charts; raises ``ValueError`` where the bundle cannot serve."""
        contents = bundle.contents
        return cls(
            version=bundle.manifest.version,
            index=VectorIndex(contents.title_factors),
            neighbours=Neighbours(contents.title_factors),
            popularity=Charts.rank(contents.countries, contents.popularity),
            trending=Charts.rank(contents.countries, contents.trending),
            ranker=Ranker.load(contents.ranker),
            vectors=ModelVectors.of(contents),
        )
