from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.backfill import backfill
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from feature_repo.title_feed import TitleFeed
from feature_repo.transforms.confidence import Confidence
from training.als import AlsConfig, fit_als
from training.bundle import BundleContents
from training.embeddings import embedding_rows
from training.interactions import InteractionMatrix
from training.new_titles import add_title_vectors, solve_title_vectors

MakeRows = Callable[..., pa.Table]
WATCHED, NOW = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)


def test_a_titles_vector_solves_its_half_step_written_out() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.permutation(12 * 6)[:40]
    users, titles = np.array([f"u{u}" for u in range(12)]), np.array([f"t{t}" for t in range(6)])
    matrix = InteractionMatrix.build(users[pairs // 6], titles[pairs % 6], rng.random(40), titles, users)
    config = AlsConfig(dimensions=3, alpha=5.0, regularization=0.4, threads=1, iterations=5)
    factors = fit_als(matrix, config)
    assert factors.confidence is not None
    found = solve_title_vectors(matrix, np.array([4, 1]), factors.user_factors, factors.confidence)
    x = factors.user_factors.astype(np.float64)
    for vector, title in zip(found, (4, 1), strict=True):
        stored = matrix.fractions[:, [title]].tocoo()
        fractions, seen = np.zeros(12), np.zeros(12, dtype=bool)
        fractions[stored.row], seen[stored.row] = stored.data, True
        weight = np.where(seen, 1 + 5.0 * fractions, 1.0)
        likes = seen & (fractions >= config.minimum_fraction)
        wanted = np.linalg.solve(x.T @ (weight[:, None] * x) + 0.4 * np.eye(3), x.T @ (weight * likes))
        np.testing.assert_allclose(vector, wanted, atol=1e-4)


@pytest.fixture
def champion() -> BundleContents:
    """Trained on t1 alone, with three members; t2 came later."""
    rng = np.random.default_rng(0)
    factors = np.zeros((1, s.ALS_DIMENSIONS), np.float32) + 1
    nothing, none = np.empty((0, 0), np.float32), np.empty(0, np.str_)
    return BundleContents(
        title_ids=np.array(["t1"]), title_factors=factors,
        user_ids=np.array(["u1", "u2", "u3"]),
        user_factors=rng.normal(size=(3, s.ALS_DIMENSIONS)).astype(np.float32),
        confidence=Confidence(5.0, 0.4, 0.1), tower_weights={}, tower_title_vectors=nothing,
        content_to_als=nothing, ranker=b"", segments=none, popularity=nothing, countries=none,
        trending=nothing, trending_weights=nothing, hit_rate_sources=none, hit_rates=nothing,
    )  # fmt: skip


@pytest.fixture
def feed(lake: Lake, gateway: FeatureGateway, make_rows: MakeRows, champion: BundleContents) -> TitleFeed:
    """Two of the members, and a stranger, have watched t2."""
    lake.replace(s.TITLES, make_rows(s.TITLES, [{s.TITLE_ID: t} for t in ("t1", "t2")]))
    watches = [("u1", "t1", 0.9), ("u1", "t2", 1.0), ("u2", "t2", 0.5), ("new", "t2", 1.0)]
    events = [
        {
            s.EVENT_TYPE: "progress",
            s.EVENT_ID: f"{u}-{t}",
            s.USER_ID: u,
            s.TITLE_ID: t,
            s.WATCH_FRACTION: f,
            s.EVENT_TIMESTAMP: WATCHED,
        }
        for u, t, f in watches
    ]
    lake.replace(s.EVENTS, make_rows(s.EVENTS, events))
    backfill(lake, WATCHED, seed=0)
    vectors = embedding_rows(
        s.TITLE_ALS_EMBEDDING, champion.title_ids, champion.title_factors, np.array([1]),
        trained_at=WATCHED, created_at=WATCHED, model_version="als-7",
    )  # fmt: skip
    lake.replace(s.TITLE_ALS_EMBEDDING, vectors)
    gateway.write_online(s.TITLE_ALS_EMBEDDING, vectors)
    return TitleFeed.open(gateway.online_url)


def test_a_title_with_enough_viewers_gets_its_vector_online_and_is_announced(
    lake: Lake, gateway: FeatureGateway, feed: TitleFeed, champion: BundleContents
) -> None:
    before = feed.position()
    assert add_title_vectors(lake, gateway, feed, champion, now=NOW, minimum_viewers=2) == ["t2"]
    assert feed.changes(before)[1] == ("t2",)
    matrix = InteractionMatrix.build(
        np.array(["u1", "u2"]), np.array(["t2", "t2"]), np.array([1.0, 0.5]), np.array(["t2"]),
        champion.user_ids,
    )  # fmt: skip
    assert champion.confidence is not None
    wanted = solve_title_vectors(matrix, np.array([0]), champion.user_factors, champion.confidence)
    online = gateway.title_snapshot(["t1", "t2"], NOW).columns
    np.testing.assert_allclose(online[s.TITLE_EMBEDDING][1], wanted[0], rtol=1e-5)
    assert online[s.MODEL_VERSION].tolist() == ["als-7", "als-7"]
    assert lake.read(s.TITLE_ALS_EMBEDDING)[s.TITLE_ID].to_pylist() == ["t1", "t2"]


def test_a_title_with_too_few_viewers_waits(
    lake: Lake, gateway: FeatureGateway, feed: TitleFeed, champion: BundleContents
) -> None:
    before = feed.position()
    assert add_title_vectors(lake, gateway, feed, champion, now=NOW, minimum_viewers=3) == []
    assert feed.changes(before)[1] == ()


def test_a_champion_that_cannot_fold_in_is_refused(
    lake: Lake, gateway: FeatureGateway, feed: TitleFeed, champion: BundleContents
) -> None:
    with pytest.raises(ValueError, match="core_model als"):
        add_title_vectors(lake, gateway, feed, replace(champion, confidence=None), now=NOW, minimum_viewers=2)


def test_after_a_retrain_the_vector_bears_the_version_of_those_that_are_the_champions(
    lake: Lake, gateway: FeatureGateway, feed: TitleFeed, champion: BundleContents
) -> None:
    """A title that hardly moved has its old row still, whose version is of the model before."""
    hardly = replace(
        champion,
        title_ids=np.array(["t0", "t1"]),
        title_factors=np.concatenate([champion.title_factors * np.float32(1.05), champion.title_factors]),
    )
    before = embedding_rows(
        s.TITLE_ALS_EMBEDDING, np.array(["t0"]), champion.title_factors, np.array([1]),
        trained_at=WATCHED, created_at=WATCHED, model_version="als-6",
    )  # fmt: skip
    gateway.write_online(s.TITLE_ALS_EMBEDDING, before)
    assert add_title_vectors(lake, gateway, feed, hardly, now=NOW, minimum_viewers=2) == ["t2"]
    online = gateway.title_snapshot(["t0", "t1", "t2"], NOW).columns
    assert online[s.MODEL_VERSION].tolist() == ["als-6", "als-7", "als-7"]


def test_a_store_with_the_vectors_of_another_model_is_refused(
    lake: Lake, gateway: FeatureGateway, feed: TitleFeed, champion: BundleContents
) -> None:
    other = replace(champion, title_factors=champion.title_factors * np.float32(2))
    with pytest.raises(ValueError, match="those of another model"):
        add_title_vectors(lake, gateway, feed, other, now=NOW, minimum_viewers=2)
