"""How likely a play follows from a slot, told by a model that has not seen the slot's member."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.ranker import RankerConfig, fit_ranker

FOLDS: Final = 5
SMALL_TREES: Final = RankerConfig(trees=80, depth=3, learning_rate=0.1, threads=1)
"""A model of few slots: the estimate stays right where it is wrong, and it need not be the best."""


def cross_fitted_rewards(
    matrix: NDArray[np.float32],
    slot_of: NDArray[np.int64],
    drawn: NDArray[np.int64],
    played: NDArray[np.bool_],
    user_ids: NDArray[np.str_],
    *,
    folds: int = FOLDS,
    seed: int = 0,
    config: RankerConfig = SMALL_TREES,
) -> NDArray[np.float64]:
    """Return the predicted probability of a play of each offered title in its slot, (m,).

    ``matrix`` float32 (m, features) are ``ranking_features`` at the places where the slots stood, so that the
    model learns how they are looked at; ``slot_of`` (m,) numbers their slots, ``drawn`` (n,) is each slot's
    shown title. Members are dealt into ``folds`` with ``seed``; a fold's slots are predicted by a model of
    the others' (Chernozhukov et al., "Double/debiased machine learning", Econometrics Journal 21, 2018).
    Where the others hold no play, 0 is predicted.
    """
    _, member = np.unique(user_ids, return_inverse=True)
    fold_of_member = np.random.default_rng(seed).permutation(member.max(initial=0) + 1) % folds
    fold = fold_of_member[member]
    predicted = np.zeros(len(matrix))
    for number in range(folds):
        rows = np.flatnonzero(fold[slot_of] == number)
        others = fold != number
        if not played[others].any() or not len(rows):
            continue
        labels = played[others].astype(np.float32)
        model = fit_ranker(matrix[drawn[others]], labels, None, None, config)
        predicted[rows] = model.score(matrix[rows])
    return predicted
