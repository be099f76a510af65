from __future__ import annotations

import numpy as np

from training.baselines.popularity import PopularityScorer
from training.interactions import InteractionMatrix


def test_titles_are_scored_by_viewers_who_watched_enough() -> None:
    matrix = InteractionMatrix.build(
        np.array(["a", "b", "c", "a"]),
        np.array(["t1", "t1", "t1", "t2"]),
        np.array([1.0, 0.1, 0.05, 0.9], dtype=np.float32),
        np.array(["t1", "t2", "t3"]),
    )
    scores = PopularityScorer(matrix, minimum_fraction=0.1).scores(np.array([2, 0]))
    assert scores.dtype == np.float32
    assert scores.tolist() == [[2, 1, 0], [2, 1, 0]]
