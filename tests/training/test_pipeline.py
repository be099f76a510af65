from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.transforms.ranking import RANKING_FEATURES
from training.bundle import Bundle, BundleAliases, load_bundle
from training.catalogue import Catalogue, Members
from training.config import TrainingConfig
from training.judging import BASELINES, MIX, MIX_AND_RANKER, ORACLE, RANDOM, TWO_TOWER, Judgement
from training.learning import fit_ranker_on_window
from training.page_order import PageOrder
from training.pipeline import materialize_all
from training.publishing import CHAMPION, headline_metrics
from training.retrieval import fit_retrieval
from training.training_data import TrainingData, interactions_as_of, read_training_data

if TYPE_CHECKING:
    from tests.conftest import TrainedService

MODELS = {*BASELINES, "als", "bpr", TWO_TOWER, MIX, MIX_AND_RANKER}
GENERATORS = {"als", "two_tower", "similar", "trending", "trending_in_country", "popularity", "new_titles"}


@pytest.fixture(scope="module")
def bundle(trained_service: TrainedService) -> Bundle:
    return load_bundle(
        trained_service.settings.bundles / trained_service.version, trained_service.gateway.schema_hash()
    )


@pytest.fixture(scope="module")
def report(trained_service: TrainedService) -> dict[str, Any]:
    path = trained_service.settings.reports / trained_service.version / "metrics.json"
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.fixture(scope="module")
def data(trained_service: TrainedService) -> TrainingData:
    return read_training_data(trained_service.gateway, trained_service.lake, TrainingConfig())


def test_the_bundle_loads_and_holds_the_catalogue_and_every_member(
    trained_service: TrainedService, bundle: Bundle
) -> None:
    titles = sorted(trained_service.simulated.titles[s.TITLE_ID].to_pylist())
    assert bundle.contents.title_ids.tolist() == titles
    assert bundle.contents.user_ids.tolist() == sorted(
        trained_service.simulated.members[s.USER_ID].to_pylist()
    )
    assert bundle.contents.title_factors.shape == (500, s.ALS_DIMENSIONS)
    countries = set(trained_service.simulated.members[s.COUNTRY].to_pylist()) - {None}
    assert bundle.contents.countries.tolist() == ["", *sorted(countries)]
    assert set(bundle.contents.countries.tolist()) < set(bundle.contents.segments.tolist())
    assert set(bundle.contents.hit_rate_sources.tolist()) <= GENERATORS
    assert np.linalg.norm(bundle.contents.tower_title_vectors, axis=1) == pytest.approx(1, abs=1e-4)
    assert bundle.contents.confidence is not None
    assert bundle.manifest.data_window.end == trained_service.end
    assert bundle.manifest.parent is None


def test_the_newest_bundle_is_the_champion_and_names_the_one_before(trained_service: TrainedService) -> None:
    aliases = BundleAliases(trained_service.settings.bundles)
    before = aliases.get(CHAMPION)
    version = trained_service.train_again(trained_service.end + timedelta(hours=2), warm_iterations=1)
    assert aliases.get(CHAMPION) == version
    assert load_bundle(trained_service.settings.bundles / version).manifest.parent == before


def test_training_again_gives_the_same_content_and_the_same_metrics(
    trained_service: TrainedService, bundle: Bundle
) -> None:
    version = trained_service.train_again(trained_service.end + timedelta(hours=1))
    again = load_bundle(trained_service.settings.bundles / version)
    assert version.rsplit("-", 1)[1] == trained_service.version.rsplit("-", 1)[1]
    assert again.manifest.metrics == bundle.manifest.metrics
    assert again.manifest.files == bundle.manifest.files


def test_the_manifest_and_the_report_judge_every_model(bundle: Bundle, report: dict[str, Any]) -> None:
    metrics = bundle.manifest.metrics["test"]
    assert set(metrics) == MODELS | GENERATORS | {RANDOM}
    for model in MODELS:
        assert 0 <= metrics[model]["recall@10"] <= metrics[model]["recall@20"] <= 1
        assert 0 < metrics[model]["coverage@20"] <= 1
    assert {row["model"] for row in report["evaluation"]} == MODELS | GENERATORS | {RANDOM}
    for name in (*GENERATORS, MIX, RANDOM):
        assert 0 <= metrics[name]["candidate_recall@100"] <= metrics[name]["candidate_recall@500"] <= 1
    assert [step["name"] for step in report["steps"]][-1] == "bundle"


def test_nobody_beats_the_oracle(bundle: Bundle) -> None:
    truth = dict(bundle.manifest.metrics["truth"])
    oracle = truth.pop(ORACLE)
    assert set(truth) == MODELS
    assert oracle >= max(truth.values())
    assert all(0 < value < 1 for value in truth.values())


def test_the_report_is_a_page_of_its_own(trained_service: TrainedService) -> None:
    page = (trained_service.settings.reports / trained_service.version / "index.html").read_text()
    assert trained_service.version in page
    assert "Oracle" in page


def test_vectors_stand_in_the_lake_at_the_three_instants(
    trained_service: TrainedService, data: TrainingData
) -> None:
    w = data.windows
    for table in (s.USER_ALS_EMBEDDING, s.TITLE_ALS_EMBEDDING):
        rows = trained_service.lake.read(table)
        assert set(rows[s.EVENT_TIMESTAMP].to_pylist()) == {w.ranker_start, w.test_start, w.end}
    assert w.start < w.ranker_start < w.test_start < w.end == trained_service.end


def test_the_factors_online_are_those_of_the_champion(trained_service: TrainedService) -> None:
    champion = BundleAliases(trained_service.settings.bundles).get(CHAMPION)
    assert champion is not None
    contents = load_bundle(trained_service.settings.bundles / champion).contents
    snapshot = trained_service.gateway.title_snapshot(contents.title_ids.tolist(), trained_service.end)
    online = np.nan_to_num(snapshot.columns[s.TITLE_EMBEDDING])
    assert online.tobytes() == contents.title_factors.tobytes()


def test_everybody_with_features_is_online(trained_service: TrainedService, data: TrainingData) -> None:
    arrived = materialize_all(trained_service.gateway, data)
    for table in (
        s.USER_SNAPSHOT,
        s.USER_SESSION,
        s.USER_PROFILE,
        s.TITLE_METADATA,
        s.TITLE_STATISTICS,
        s.TITLE_ALS_EMBEDDING,
    ):
        entities = set(trained_service.lake.read(table)[table.keys[0]].to_pylist())
        assert arrived[table.name] == len(entities), table.name


# --- the steps ---------------------------------------------------------------------------------


def test_events_of_titles_outside_the_catalogue_are_left_out(data: TrainingData) -> None:
    assert np.isin(data.events.title_ids, data.catalogue.title_ids).all()
    assert np.all(np.diff(data.events.timestamps) >= 0)
    assert np.isin(data.events.user_ids, data.members.user_ids).all()


def test_interactions_since_an_instant_are_of_pairs_that_met_from_then_on(data: TrainingData) -> None:
    whole = interactions_as_of(data, data.windows.end)
    test = interactions_as_of(data, data.windows.end, since=data.windows.test_start)
    earlier = interactions_as_of(data, data.windows.test_start)
    assert 0 < test.fractions.nnz < whole.fractions.nnz
    assert earlier.fractions.nnz + test.fractions.nnz >= whole.fractions.nnz


def test_a_window_and_a_share_reach_the_training_matrix(data: TrainingData) -> None:
    end = data.windows.end
    whole = interactions_as_of(data, end)
    last_day = interactions_as_of(data, end, TrainingConfig(window_days=1.0))
    sampled = interactions_as_of(data, end, TrainingConfig(older_share=0.5))
    assert 0 < last_day.fractions.nnz < sampled.fractions.nnz < whole.fractions.nnz


def test_events_before_the_window_are_not_read(trained_service: TrainedService, data: TrainingData) -> None:
    config = TrainingConfig(window_days=4.0)
    read = read_training_data(trained_service.gateway, trained_service.lake, config)
    last = int(data.events.timestamps[-1])
    four_days = 4 * 86_400_000_000
    np.testing.assert_array_equal(
        read.events.timestamps, data.events.timestamps[data.events.timestamps > last - four_days]
    )
    assert 0 < len(read.events.timestamps) < len(data.events.timestamps)
    assert read.windows.end == data.windows.end


@pytest.fixture
def without_impressions(data: TrainingData, tmp_path: Path) -> TrainingData:
    """The same data with a lake that holds nothing else, and takes what a step writes."""
    lake = Lake(str(tmp_path / "lake"))
    lake.replace(s.IMPRESSIONS, s.IMPRESSIONS.arrow_schema.empty_table())
    return replace(data, lake=lake)


SMALL = {
    "als": {"iterations": 2, "threads": 1}, "ranker": {"trees": 5, "threads": 1}, "ranker_rows": 3000,
    "two_tower": {"epochs": 1, "batch": 128, "uniform_negatives": 64},
}  # fmt: skip


def test_without_impressions_the_ranker_learns_from_candidates(without_impressions: TrainingData) -> None:
    data, config = without_impressions, TrainingConfig.model_validate(SMALL)
    retrieval = fit_retrieval(data, data.windows.ranker_start, config, data.windows.end)
    fitted = fit_ranker_on_window(data, retrieval, config, compare=True)
    validation = fitted.validation
    assert not fitted.from_impressions
    assert data.windows.ranker_start <= fitted.validated_from < data.windows.test_start
    assert validation.matrix.shape[1] == len(RANKING_FEATURES)
    assert 0 < validation.labels.mean() < 0.5
    assert np.isfinite(fitted.ranker.score(validation.matrix)).all()
    assert fitted.not_told is None  # nothing was shown: there is no place to tell of


def test_a_window_with_nothing_to_learn_from_is_refused_with_a_remedy(
    without_impressions: TrainingData,
) -> None:
    data, config = without_impressions, TrainingConfig.model_validate(SMALL)
    retrieval = fit_retrieval(data, data.windows.ranker_start, config, data.windows.end)
    unwatched = np.zeros_like(data.events.watch_fractions)
    nothing_liked = replace(data.events, watch_fractions=unwatched)
    bored = replace(data, events=nothing_liked)
    with pytest.raises(ValueError, match="lower ranker_share"):
        fit_ranker_on_window(bored, retrieval, config)


def test_headline_metrics_are_those_over_all_members() -> None:
    order = PageOrder(ranker_decides=False, ranker_ndcg=0.1, mix_ndcg=0.2)
    chosen = {"ranker_decides": False, "ranker_ndcg": 0.1, "mix_ndcg": 0.2, "surely_ahead": None}
    told = {"test": {}, "order": chosen}
    assert headline_metrics(Judgement([], {}, []), order) == told
    assert headline_metrics(Judgement([], {ORACLE: 0.5}, []), order) == {**told, "truth": {ORACLE: 0.5}}


def test_the_catalogue_knows_what_is_available_when_the_test_window_starts(data: TrainingData) -> None:
    assert isinstance(data.catalogue, Catalogue)
    assert isinstance(data.members, Members)
    available = data.catalogue.available_at(data.windows.test_start)
    assert 0 < (~available).sum() < 50
    assert data.catalogue.available_at(datetime(2100, 1, 1, tzinfo=UTC)).all()
