"""How far what is served has moved from what the ranker learned from, and how much that matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.ranking import RANKING_FEATURES
from training.bundle import Bundle
from training.parity.served import ServedPages
from training.ranker import Ranker
from training.reference import RANKING_SCORE, shares_in

MODERATE: Final = 0.1
LARGE: Final = 0.25
"""The customary bounds of the index: below the first nothing happened, above the second much did."""
_LEAST_SHARE: Final = 1e-4
"""Stands for an empty bin, whose logarithm is none."""

Level = Literal["stable", "moderate", "large"]


@dataclass(frozen=True, slots=True)
class Drift:
    """One feature, or the score, of one bundle.

    ``stability_index`` is 0 for the same distribution. ``importance`` is the feature's share of the ranker's
    gain, 0 to 1, None for the score. ``unknown`` shares are those of NaN, 0 to 1.
    """

    bundle: str
    name: str
    tiles: int
    stability_index: float
    importance: float | None
    unknown_served: float
    unknown_in_training: float

    @property
    def level(self) -> Level:
        """How much that is."""
        if self.stability_index >= LARGE:
            return "large"
        return "moderate" if self.stability_index >= MODERATE else "stable"


def drift_of(served: ServedPages, bundles: Mapping[str, Bundle]) -> list[Drift]:
    """Compare the tiles that were shown with the training tiles of the bundle that showed them.

    What moved most comes first, weighed by importance; the score leads. Bundles whose manifest tells nothing
    of their training data are left out.
    """
    found: list[Drift] = []
    for name in np.unique(served.bundles).tolist():
        bins: Any = bundles[name].manifest.metrics.get("ranker_input")
        rows = (served.bundles == name)[served.page_of] & served.shown
        if bins and rows.any():
            importance = Ranker.from_bytes(bundles[name].contents.ranker).importance()
            found += _of_bundle(name, served.matrix[rows], served.scores[rows], bins, importance)
    return found


def stability_index(served: NDArray[np.float64], trained: NDArray[np.float64]) -> float:
    """Return the population stability index of two distributions over the same bins, (k,) each.

    The sum of (a - b) ln(a / b), which is the Jeffreys divergence (Siddiqi, "Credit Risk Scorecards", 2006).
    """
    a, b = np.maximum(served, _LEAST_SHARE), np.maximum(trained, _LEAST_SHARE)
    return float(((a - b) * np.log(a / b)).sum())


def _of_bundle(
    bundle: str,
    matrix: NDArray[np.float32],
    scores: NDArray[np.float32],
    bins: Mapping[str, Any],
    importance: Mapping[str, float],
) -> list[Drift]:
    columns = {name: matrix[:, place] for place, name in enumerate(RANKING_FEATURES)} | {
        RANKING_SCORE: scores
    }
    rows = []
    for name, told in bins.items():
        trained = np.array([*told["shares"], told["unknown"]])
        shares = shares_in(columns[name], told)
        rows.append(
            Drift(
                bundle, name, len(scores), stability_index(shares, trained), importance.get(name),
                float(shares[-1]), float(trained[-1]),
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: (row.importance is not None, -_weight(row)))


def _weight(row: Drift) -> float:
    return row.stability_index * (1.0 if row.importance is None else row.importance)
