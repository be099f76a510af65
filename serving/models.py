"""The models of one bundle, made ready to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.towers import item_tower
from serving.candidates.charts import Charts
from serving.catalogue import Rows
from serving.index import VectorIndex
from serving.ranking import Ranker
from serving.taste_models import TasteModels
from serving.vectors import ModelVectors
from training.bundle import Bundle

_NEIGHBOURS: Final = 200
_CACHED_TITLES: Final = 4096


class Neighbours:
    """Title-to-title similarity: by who watched them, else by what they are about.

    ``factors`` (T, 128) are collaborative, zero rows for none; their cosine is taken, so that fame alone is
    no likeness. ``content`` (T, d) has a unit vector for every title.
    """

    def __init__(self, factors: NDArray[np.float32], content: NDArray[np.float32]) -> None:
        lengths = np.linalg.norm(factors, axis=1, keepdims=True)
        self._units = (factors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        self._index = VectorIndex(self._units)
        self._content, self._content_index = content, VectorIndex(content)
        self.of = lru_cache(maxsize=_CACHED_TITLES)(self._search)

    def collaborative(self, row: int) -> bool:
        """Say whether a title's neighbours are those of its viewers."""
        return self._index.has(row)

    def _search(self, row: int, k: int = _NEIGHBOURS) -> tuple[Rows, NDArray[np.float32]]:
        """Return up to ``k`` titles like this one with their cosines, best first, itself left out."""
        if self.collaborative(row):
            rows, scores = self._index.search(self._units[row], k + 1)
        else:
            rows, scores = self._content_index.search(self._content[row], k + 1)
        others = rows != row
        return rows[others][:k], scores[others][:k]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedTrending:
    """Trending as the training left it: ``shares`` (C, T) and ``weights`` (C,) of plays at ``as_of_us``."""

    countries: NDArray[np.str_]
    shares: NDArray[np.float32]
    weights: NDArray[np.float32]
    as_of_us: float


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """What one bundle brings, indexed by the bundle's title rows, and by those of titles that came after it.

    ``title_factors`` (T, 128) has a zero row where there is no collaborative vector yet; in ``als_index``
    such a title has a stand-in made of its content. ``tower_vectors`` (T, 256) are the item tower's.
    """

    version: str
    title_factors: NDArray[np.float32]
    tower_vectors: NDArray[np.float32]
    content_to_als: NDArray[np.float32]
    als_index: VectorIndex
    tower_index: VectorIndex
    neighbours: Neighbours
    taste: TasteModels
    popularity: Charts
    trending: Charts
    trained_trending: TrainedTrending
    hit_rates: Mapping[str, NDArray[np.float32]]
    ranker: Ranker
    ranker_decides: bool
    vectors: ModelVectors

    @classmethod
    def of(cls, bundle: Bundle) -> Models:
        """Build indexes and charts; raises ``ValueError`` where the bundle cannot serve."""
        contents = bundle.contents
        factors, towers = contents.title_factors, contents.tower_title_vectors
        rates = {
            name: curve[: int(np.count_nonzero(curve)) or 1]
            for name, curve in zip(contents.hit_rate_sources.tolist(), contents.hit_rates, strict=True)
        }
        return cls(
            version=bundle.manifest.version,
            title_factors=factors,
            tower_vectors=towers,
            content_to_als=contents.content_to_als,
            als_index=VectorIndex(with_stand_ins(factors, towers, contents.content_to_als)),
            tower_index=VectorIndex(towers),
            neighbours=Neighbours(factors, towers),
            taste=TasteModels.of(contents),
            popularity=Charts.rank(contents.segments, contents.popularity),
            trending=Charts.rank(contents.countries, contents.trending),
            trained_trending=TrainedTrending(
                contents.countries,
                contents.trending,
                contents.trending_weights,
                bundle.manifest.data_window.end.timestamp() * 1e6,
            ),
            hit_rates=rates,
            ranker=Ranker.load(contents.ranker),
            ranker_decides=contents.ranker_decides,
            vectors=ModelVectors.of(contents),
        )

    def extended(self, inputs: NDArray[np.float32], solved: NDArray[np.float32]) -> Models:
        """Return the models with more titles, and with factors that were solved since: nothing is retrained.

        ``inputs`` (A, TITLE_INPUT_DIMENSIONS) are what the item tower reads of titles that take the next
        rows; ``solved`` (T + A, 128) holds NaN rows where no collaborative vector came after the
        training. Raises ``ValueError`` where a title's inputs are not finite.
        """
        towers = np.concatenate([self.tower_vectors, item_tower(self.taste.tower_weights, inputs)])
        factors = np.concatenate([self.title_factors, np.zeros((len(inputs), solved.shape[1]), np.float32)])
        came_later = np.isfinite(solved).all(axis=1) & ~factors.any(axis=1)
        factors[came_later] = solved[came_later]
        return replace(
            self,
            title_factors=factors,
            tower_vectors=towers,
            als_index=VectorIndex(with_stand_ins(factors, towers, self.content_to_als)),
            tower_index=VectorIndex(towers),
            neighbours=Neighbours(factors, towers),
            taste=self.taste.knowing(factors),
            popularity=self.popularity.extended(len(inputs)),
            trending=self.trending.extended(len(inputs)),
            vectors=self.vectors.extended(len(inputs)),
        )


def with_stand_ins(
    factors: NDArray[np.float32], towers: NDArray[np.float32], content_to_als: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``factors`` (T, 128) with ``[tower vector, 1] @ content_to_als`` in their zero rows."""
    missing = ~factors.any(axis=1)
    if not missing.any():
        return factors
    filled = factors.copy()
    filled[missing] = towers[missing] @ content_to_als[:-1] + content_to_als[-1]
    return filled
