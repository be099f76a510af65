"""Judging lists against a known truth: how probable it was that each recommended title is played."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.evaluation.cases import EvaluationSet
from training.interactions import InteractionMatrix

PlayProbability = Callable[[NDArray[np.str_], NDArray[np.str_]], NDArray[np.float64]]
"""(user_ids, title_ids), which broadcast, to the true probability of a play, 0 to 1, same shape."""


def mean_play_probability(
    ranked: NDArray[np.int64],
    user_rows: NDArray[np.int64],
    matrix: InteractionMatrix,
    play_probability: PlayProbability,
) -> float:
    """Return the mean true probability over all places of all lists.

    ``ranked``: int64 (users, k) as :func:`training.evaluation.cases.ranked_lists` makes it, for
    ``user_rows`` of ``matrix``. An empty place (-1) counts 0: showing nothing plays nothing.
    Raises ``ValueError`` where there is no list.
    """
    if ranked.size == 0:
        raise ValueError("ranked is empty: there is no list to judge")
    users = np.repeat(matrix.user_ids[user_rows], ranked.shape[1])
    titles = ranked.ravel()
    filled = titles >= 0
    probability = np.zeros(len(titles))
    probability[filled] = play_probability(users[filled], matrix.title_ids[titles[filled]])
    return float(probability.mean())


class OracleScorer:
    """Scores by the truth itself: no model can be better."""

    def __init__(self, matrix: InteractionMatrix, play_probability: PlayProbability) -> None:
        self._matrix = matrix
        self._play_probability = play_probability

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (len(user_rows), T): true probabilities."""
        users = np.repeat(self._matrix.user_ids[user_rows], len(self._matrix.title_ids))
        titles = np.tile(self._matrix.title_ids, len(user_rows))
        probability = self._play_probability(users, titles)
        return probability.reshape(len(user_rows), -1).astype(np.float32)


def mean_play_probabilities(
    lists: dict[str, NDArray[np.int64]], cases: EvaluationSet, play_probability: PlayProbability
) -> dict[str, float]:
    """Return :func:`mean_play_probability` of each model's lists for ``cases.user_rows``."""
    return {
        model: mean_play_probability(ranked, cases.user_rows, cases.watched, play_probability)
        for model, ranked in lists.items()
    }
