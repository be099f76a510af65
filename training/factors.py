"""What a collaborative core model gives: a vector per member and per title, and how to fold in more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.confidence import Confidence
from training.interactions import rows_of


@dataclass(frozen=True)
class Factors:
    """A fitted model: ``user_factors`` float32 (U, D) and ``title_factors`` float32 (T, D).

    Rows follow ``user_ids`` and ``title_ids``; the inner product of two rows is the model's score. Who or
    what had no interactions has a zero row. ``confidence`` is what further vectors are folded in with;
    None for a model without such a solution.
    """

    user_ids: NDArray[np.str_]
    title_ids: NDArray[np.str_]
    user_factors: NDArray[np.float32]
    title_factors: NDArray[np.float32]
    confidence: Confidence | None


def overwrite_known(
    factors: NDArray[np.float32],
    ids: NDArray[np.str_],
    old_ids: NDArray[np.str_],
    old_factors: NDArray[np.float32],
) -> None:
    """Put the rows that an earlier model has for ``ids`` into ``factors``, in place.

    Raises ``ValueError`` where the earlier model has another number of dimensions.
    """
    if old_factors.shape[1] != factors.shape[1]:
        raise ValueError(
            f"warm_start has {old_factors.shape[1]} dimensions, the configuration {factors.shape[1]}: "
            "start cold or keep the number"
        )
    old_rows = rows_of(ids, old_ids)
    # A zero row says "no interactions then": it would start the solver in a dead point.
    known = np.flatnonzero(old_rows >= 0)
    known = known[old_factors[old_rows[known]].any(axis=1)]
    factors[known] = old_factors[old_rows[known]]
