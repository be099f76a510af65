"""The ranker: XGBoost on the very columns it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xgboost
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.ranking import FIRST_PLACE, RANKING_FEATURES, ranking_features
from serving.catalogue import Catalogue, Rows
from serving.members import Member

_ONE_THREAD: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class Ranker:
    """A trained booster; safe to call from several threads at once."""

    booster: Any

    @classmethod
    def load(cls, content: bytes) -> Ranker:
        """Load from XGBoost's own UBJSON.

        Raises ``ValueError`` where it was trained on another number of columns or cannot be read.
        """
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(content))
        except xgboost.core.XGBoostError as error:
            raise ValueError(f"ranker: not a model XGBoost can read ({error}); train a new bundle") from error
        booster.set_param({"nthread": _ONE_THREAD})
        if booster.num_features() != len(RANKING_FEATURES):
            found, expected = booster.num_features(), len(RANKING_FEATURES)
            raise ValueError(f"ranker: {found} features, expected {expected}; train a new bundle")
        return cls(booster)

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return one score per row of ``ranking_features``; higher is better."""
        scores: NDArray[np.float32] = self.booster.inplace_predict(matrix)
        return scores


def candidate_features(
    member: Member,
    catalogue: Catalogue,
    rows: Rows,
    now_us: float,
    device: str,
    tower_scores: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the ranker's matrix (rows, features) of one member and these titles at one instant.

    ``tower_scores`` (rows,) are the inner products of the two-tower vectors; None where there are none.
    """
    unknown = np.full(1, np.nan, dtype=np.float32)
    context: Arrays = {
        s.REQUEST_TIMESTAMP: np.array([now_us], dtype=np.float64),
        s.DEVICE_TYPE: np.array([device], dtype=np.str_),
        s.TWO_TOWER_SCORE: unknown if tower_scores is None else tower_scores,
        **FIRST_PLACE,
    }
    return ranking_features(member.features, catalogue.gather(rows), context)
