from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.transforms.calendar import epoch_microseconds
from training.embeddings import store_embeddings
from training.factors import Factors
from training.interactions import InteractionMatrix

TRAINED = datetime(2026, 3, 1, 12, tzinfo=UTC)
WRITTEN = datetime(2026, 3, 2, tzinfo=UTC)
USERS, TITLES = np.array(["ann", "bob", "cyd"]), np.array(["t1", "t2"])


@pytest.fixture
def matrix() -> InteractionMatrix:
    """Ann watched t1 and t2, Cyd t2; Bob nothing."""
    pairs = np.array(["ann", "ann", "cyd"]), np.array(["t1", "t2", "t2"])
    return InteractionMatrix.build(*pairs, np.array([1.0, 0.5, 0.25]), TITLES, USERS)


@pytest.fixture
def factors() -> Factors:
    """Ann's vector is (3, 4, 0, 0 ...), of length 5."""
    users = np.zeros((3, s.ALS_DIMENSIONS), dtype=np.float32)
    users[0, :2] = 3, 4
    titles = np.arange(2 * s.ALS_DIMENSIONS, dtype=np.float32).reshape(2, -1)
    return Factors(USERS, TITLES, users, titles, None)


def store(
    lake: Lake,
    factors: Factors,
    matrix: InteractionMatrix,
    *,
    at: datetime = TRAINED,
    replace: bool = False,
) -> int:
    return store_embeddings(
        lake, factors, matrix, trained_at=at, created_at=WRITTEN, model_version="als-1", replace=replace
    )


def test_a_trained_member_is_read_back_as_of_the_end_of_the_training_data(
    lake: Lake, factors: Factors, matrix: InteractionMatrix
) -> None:
    store(lake, factors, matrix)
    ann = next(r for r in lake.read(s.USER_ALS_EMBEDDING).to_pylist() if r[s.USER_ID] == "ann")
    assert ann.pop(s.USER_EMBEDDING) == [3.0, 4.0] + [0.0] * (s.ALS_DIMENSIONS - 2)
    assert ann == {
        s.USER_ID: "ann",
        s.EVENT_TIMESTAMP: TRAINED,
        s.CREATED_TIMESTAMP: WRITTEN,
        s.EMBEDDING_KIND: "collaborative",
        s.MODEL_VERSION: "als-1",
        s.EMBEDDING_NORM: 5.0,
        s.TRAINED_AT: epoch_microseconds(TRAINED),
        s.TRAINING_EVENT_COUNT: 2,
    }


def test_who_has_no_interactions_gets_no_vector(
    lake: Lake, factors: Factors, matrix: InteractionMatrix
) -> None:
    assert store(lake, factors, matrix) == 4
    assert sorted(lake.read(s.USER_ALS_EMBEDDING)[s.USER_ID].to_pylist()) == ["ann", "cyd"]
    titles = lake.read(s.TITLE_ALS_EMBEDDING).sort_by(s.TITLE_ID)
    assert titles[s.TRAINING_EVENT_COUNT].to_pylist() == [1, 2]
    assert titles[s.TITLE_EMBEDDING].to_pylist() == factors.title_factors.tolist()


def test_appending_keeps_earlier_trainings_and_replacing_drops_them(
    lake: Lake, factors: Factors, matrix: InteractionMatrix
) -> None:
    later, last = TRAINED + timedelta(days=1), TRAINED + timedelta(days=40)
    store(lake, factors, matrix)
    store(lake, factors, matrix, at=later)
    for table in (s.USER_ALS_EMBEDDING, s.TITLE_ALS_EMBEDDING):
        assert set(lake.read(table)[s.EVENT_TIMESTAMP].to_pylist()) == {TRAINED, later}
    store(lake, factors, matrix, at=last, replace=True)
    for table in (s.USER_ALS_EMBEDDING, s.TITLE_ALS_EMBEDDING):
        assert set(lake.read(table)[s.EVENT_TIMESTAMP].to_pylist()) == {last}
