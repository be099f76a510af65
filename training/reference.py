"""What the ranker's training data looked like, feature by feature, in a few numbers that a bundle carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.ranking import PLACE_FEATURES, RANKING_FEATURES

RANKING_SCORE: Final = "ranking_score"
BINS: Final = 10


def reference(matrix: NDArray[np.float32], scores: NDArray[np.float32]) -> dict[str, Any]:
    """Return, by feature and for the score, the ``edges`` of bins, their ``shares`` and that of ``unknown``.

    ``matrix`` (n, features) are training rows, ``scores`` (n,) what the ranker says of them. Bin i holds the
    values above edge i - 1 up to edge i, the last those above all edges; edges are the inner deciles, each
    once. Shares with ``unknown`` sum to 1. Where a tile stood is left out: served titles are compared at one
    place. Empty where there are no rows.
    """
    if not len(matrix):
        return {}
    columns = {name: matrix[:, place] for place, name in enumerate(RANKING_FEATURES)}
    columns = {name: values for name, values in columns.items() if name not in PLACE_FEATURES}
    return {name: _bins(values) for name, values in (columns | {RANKING_SCORE: scores}).items()}


def shares_in(values: NDArray[np.float32], bins: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the shares of ``values`` (n,), n > 0, in the bins of :func:`reference`; unknown comes last."""
    edges = np.array(bins["edges"], dtype=np.float32)
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return np.asarray(np.append(counts, len(values) - len(known)) / len(values))


def _bins(values: NDArray[np.float32]) -> dict[str, Any]:
    known = values[~np.isnan(values)]
    deciles = np.arange(1, BINS) / BINS
    edges = np.unique(np.quantile(known, deciles, method="lower")) if len(known) else np.empty(0)
    bins: dict[str, Any] = {"edges": edges.astype(np.float32).tolist()}
    shares = shares_in(values, bins).round(6).tolist()
    return bins | {"shares": shares[:-1], "unknown": shares[-1]}
