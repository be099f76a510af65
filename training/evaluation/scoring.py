"""What evaluation asks of a model, and adapters that give it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.interactions import InteractionMatrix


class Scorer(Protocol):
    """A model that scores the whole catalogue for members of the matrix it was fitted on."""

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (len(user_rows), T), higher is better, -inf for what it cannot recommend."""
        ...


class DotProductScorer:
    """Scores by the inner product of factors, float32 (U, D) and (T, D): ALS, BPR, two-tower.

    A title with a zero vector was never trained: it scores -inf, not the 0 that would rank it above
    every title of negative score. A member with a zero vector scores 0 throughout.
    """

    def __init__(self, user_factors: NDArray[np.float32], title_factors: NDArray[np.float32]) -> None:
        self._users = user_factors
        self._titles = title_factors
        self._untrained = ~title_factors.any(axis=1)

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (len(user_rows), T)."""
        scores: NDArray[np.float32] = self._users[user_rows] @ self._titles.T
        scores[:, self._untrained] = -np.inf
        return scores


class RandomScorer:
    """Scores ``titles`` titles by chance, the same for the same member: what knowing nothing finds."""

    def __init__(self, titles: int) -> None:
        self._titles = titles

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (len(user_rows), T), evenly distributed in [0, 1)."""
        drawn = [np.random.default_rng(row).random(self._titles, dtype=np.float32) for row in user_rows]
        return np.array(drawn, dtype=np.float32).reshape(len(user_rows), self._titles)


class FallbackScorer:
    """Scores members without any interaction by another model, as serving does with popularity."""

    def __init__(self, scorer: Scorer, fallback: Scorer, matrix: InteractionMatrix) -> None:
        self._scorer = scorer
        self._fallback = fallback
        self._unknown = matrix.user_titles == 0

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (len(user_rows), T)."""
        scores = self._scorer.scores(user_rows)
        unknown = self._unknown[user_rows]
        if unknown.any():
            scores[unknown] = self._fallback.scores(user_rows[unknown])
        return scores
