"""Titles like a title: by who watched them, or by genre where nobody did yet."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from serving.candidates.charts import EVERYWHERE
from serving.catalogue import Rows
from serving.state import ServingState

Similarity = Literal["collaborative", "genres"]


def similar_titles(state: ServingState, row: int, k: int) -> tuple[Similarity, Rows, NDArray[Any]]:
    """Return up to ``k`` titles like ``row``, best first, with their cosines, and what they are alike in."""
    rows, scores = state.models.neighbours.of(row)
    if len(rows):
        return "collaborative", rows[:k], scores[:k]
    rows, scores = _alike_in_genre(state, row)
    return "genres", rows[:k], scores[:k]


def _alike_in_genre(state: ServingState, row: int) -> tuple[Rows, NDArray[np.float32]]:
    """Return all other titles that share a genre; genre vectors have unit length. Ties: the popular first."""
    vectors = np.nan_to_num(state.catalogue.ranking_inputs[s.GENRE_VECTOR])
    cosines = vectors @ vectors[row]
    order = np.lexsort((-state.models.popularity.scores[EVERYWHERE], -cosines))
    order = order[(cosines[order] > 0) & (order != row)]
    return order, cosines[order]
