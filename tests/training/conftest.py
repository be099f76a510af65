"""A small world of candidate generators, worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from training.candidates import Generators, MemberSide
from training.evaluation.cases import EvaluationSet
from training.factors import Factors
from training.interactions import InteractionMatrix
from training.popularity import SegmentScores
from training.retrieval import Retrieval
from training.two_tower import TwoTower, TwoTowerConfig

DAY = 86_400_000_000
NOW = 400 * DAY
USERS = np.array(["ann", "bob", "cyd"])
TITLES = np.array(["t0", "t1", "t2", "t3", "t4", "t5"])


def history(*watched: tuple[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """A member's history, latest first, as pairs of title and weight."""
    rows, mask = np.zeros(50, np.int32), np.zeros(50, np.float32)
    for place, (row, weight) in enumerate(watched):
        rows[place], mask[place] = row, weight
    return rows, mask


@pytest.fixture
def generators() -> Generators:
    """Ann watched t0, Bob t5 to the end and left t1; of Cyd nothing is known. Nobody has watched t4 or t3."""
    watched = np.array(["ann", "bob", "bob"]), np.array(["t0", "t5", "t1"])
    matrix = InteractionMatrix.build(*watched, np.array([1.0, 1.0, 0.0]), TITLES, USERS)
    factors = Factors(
        USERS,
        TITLES,
        np.array([[1, 0], [0, 1], [0, 0]], np.float32),
        np.array([[5, 0], [4, 3], [1, 9], [0, 0], [0, 0], [0, 2]], np.float32),
        None,
    )
    towers = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1], [-1, 0], [0, -1]], np.float32)
    # A title's stand-in is [5, 0] + 2 * its tower vector.
    content_to_als = np.array([[2, 0], [0, 2], [5, 0]], np.float32)
    tower = TwoTower(TITLES, {}, TwoTowerConfig(), {})
    rows, masks = zip(history((0, 1.0)), history((1, 0.1), (5, 1.0)), history(), strict=True)
    return Generators(
        cases=EvaluationSet(
            matrix, csr_matrix((3, 6), dtype=bool), np.ones(6, dtype=bool), np.arange(len(USERS))
        ),
        retrieval=Retrieval(
            datetime(1971, 2, 5, tzinfo=UTC), matrix, matrix, factors, tower, towers, content_to_als
        ),
        members=MemberSide(
            np.array([[0.6, 0.8], [0, 1], [1, 0]], np.float32),
            np.stack(rows), np.stack(masks), np.array(["KR", "DK", ""]), np.array(["ko", "da", ""]),
        ),
        popularity=SegmentScores(
            np.array(["", "KR", "/da"]),
            np.array([[9, 8, 7, 6, 0, 5], [1, 2, 3, 4, 5, 6], [0, 0, 0, 2, 3, 1]], np.float32),
            np.ones(3, np.float32),
        ),
        trending=SegmentScores(
            np.array(["", "KR"]), np.array([[0, 3, 0, 1, 0, 2], [0, 0, 0, 0, 7, 0]], np.float32),
            np.ones(2, np.float32),
        ),
        available_since=np.array([0, 390, 34, 36, 399, 100]) * DAY,
        now_us=NOW,
    )  # fmt: skip
