"""A service that goes on: the small trained service in a home of its own, with an hour more of viewing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from serving.catalogue import Catalogue
from serving.vectors import ModelVectors
from training.bundle import CHAMPION, Bundle, BundleAliases, load_bundle
from training.config import TrainingConfig
from training.moved import Published
from training.retrain import Retrained, reason_of, retrain_once, solve_new_titles
from training.retrieval import fit_core
from training.steps import StepRecorder
from training.training_data import interactions_as_of, read_training_data

if TYPE_CHECKING:
    from tests.conftest import MakeRows, TrainedService

CONFIG = TrainingConfig.model_validate(
    {
        "als": {"iterations": 5, "threads": 1}, "bpr": {"iterations": 2},
        "two_tower": {"epochs": 1, "batch": 128, "uniform_negatives": 64},
        "ranker": {"trees": 10, "threads": 1}, "window_days": 8.0,
        # Moved is more than the median moves by, so that there are vectors on both sides.
        "moved": 0.3,
        "viewers_to_solve": 5,
    }
)  # fmt: skip
FORGOTTEN = "t-forgotten"
"""A title that many watched, but nobody within the window."""
HARDLY = "t-hardly-watched"
"""The same of a dozen: too few by default, enough by these settings."""


@dataclass(frozen=True)
class Service:
    settings: Settings
    lake: Lake
    gateway: FeatureGateway
    champion: Bundle
    now: datetime


@pytest.fixture(scope="module")
def service(
    trained_service: TrainedService, tmp_path_factory: pytest.TempPathFactory, make_rows: MakeRows
) -> Iterator[Service]:
    """A copy of the trained service, online as it was, in whose lake another hour has passed."""
    home = tmp_path_factory.mktemp("goes_on") / "home"
    shutil.copytree(
        trained_service.settings.home, home, ignore=shutil.ignore_patterns("redis", "registry.db")
    )
    settings = Settings(home, str(home / "lake"), None)
    lake, end = Lake(settings.lake), trained_service.end
    aliases = BundleAliases(settings.bundles)
    aliases.publish(trained_service.version, "champion")
    with running_redis(settings) as url:
        gateway = FeatureGateway.open(settings, url)
        gateway.apply()
        gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), end)
        members = trained_service.simulated.members[s.USER_ID].to_pylist()
        titles = trained_service.simulated.titles[s.TITLE_ID].to_pylist()
        lake.append(s.TITLES, make_rows(s.TITLES, [{s.TITLE_ID: FORGOTTEN}, {s.TITLE_ID: HARDLY}]))
        long_ago, just_now = end - timedelta(days=8.5), end + timedelta(minutes=20)
        watched = [(user, FORGOTTEN, long_ago) for user in members[:30]]
        watched += [(user, HARDLY, long_ago) for user in members[:12]]
        watched += [(user, titles[place], just_now) for place, user in enumerate(members[:20])]
        lake.append(s.EVENTS, make_rows(s.EVENTS, [
            {s.EVENT_ID: f"later-{place}", s.USER_ID: user, s.TITLE_ID: title, s.EVENT_TIMESTAMP: when,
             s.EVENT_TYPE: "progress", s.WATCH_FRACTION: 0.9}
            for place, (user, title, when) in enumerate(watched)
        ]))  # fmt: skip
        champion = load_bundle(settings.bundles / trained_service.version)
        yield Service(settings, lake, gateway, champion, end + timedelta(hours=1, seconds=1))


@pytest.fixture(scope="module")
def retrained(service: Service) -> Retrained:
    return retrain_once(
        service.gateway, service.settings, CONFIG, StepRecorder(lambda _: None), clock=lambda: service.now,
        plan="smaller",
    )  # fmt: skip


@pytest.fixture(scope="module")
def bundle(service: Service, retrained: Retrained) -> Bundle:
    return load_bundle(service.settings.bundles / retrained.version)


def test_the_new_bundle_is_champion_and_knows_the_last_hour_and_the_window(
    service: Service, retrained: Retrained, bundle: Bundle
) -> None:
    assert BundleAliases(service.settings.bundles).get(CHAMPION) == retrained.version
    assert bundle.manifest.parent == service.champion.manifest.version
    assert bundle.manifest.memory_plan == "smaller"
    assert service.champion.manifest.memory_plan is None
    end = service.champion.manifest.data_window.end + timedelta(hours=1)
    assert bundle.manifest.data_window.end == end
    assert end - timedelta(days=8, hours=2) < bundle.manifest.data_window.start < end - timedelta(days=7)


def test_the_factors_begin_where_the_champions_are(service: Service, bundle: Bundle) -> None:
    data = read_training_data(service.gateway, service.lake, CONFIG)
    matrix = interactions_as_of(data, data.windows.end, CONFIG)
    cold = fit_core("als", matrix, CONFIG)
    old, new = service.champion.contents, bundle.contents
    np.testing.assert_array_equal(new.user_ids, old.user_ids)
    both = old.user_factors.any(axis=1) & new.user_factors.any(axis=1)
    moved = np.linalg.norm((new.user_factors - old.user_factors)[both])
    assert 0 < moved < 0.7 * np.linalg.norm((cold.user_factors - old.user_factors)[both])


@pytest.mark.parametrize("table", [s.USER_ALS_EMBEDDING, s.TITLE_ALS_EMBEDDING], ids=lambda t: t.name)
def test_the_store_has_new_rows_of_what_moved_and_old_ones_of_the_rest(
    service: Service, retrained: Retrained, bundle: Bundle, table: s.Table
) -> None:
    side, ids = ("user", bundle.contents.user_ids) if table.keys == (s.USER_ID,) else ("title", None)
    ids = bundle.contents.title_ids if ids is None else ids
    new = getattr(bundle.contents, f"{side}_factors")
    trained = new.any(axis=1)
    asked = ids[trained].tolist()
    vectors = service.gateway.online_column(table, f"{side}_embedding", asked)
    versions = service.gateway.online_column(table, s.MODEL_VERSION, asked)
    written = np.char.endswith(versions, f"{service.now:%Y%m%dT%H%M%SZ}")
    counts = retrained.published[table.name]
    assert counts.written > 0
    assert counts.unmoved > 0
    # A title that all its viewers left early may have a vector of zeros: it is not among those asked for.
    assert written.sum() <= counts.written
    assert (~written).sum() <= counts.unmoved
    np.testing.assert_array_equal(vectors[written], new[trained][written])
    share = np.linalg.norm(vectors - new[trained], axis=1) / np.linalg.norm(vectors, axis=1)
    assert np.all(share[~written] <= CONFIG.moved * 1.001)


def test_serving_takes_the_new_rows_as_the_bundles_and_replaces_the_old(
    service: Service, bundle: Bundle
) -> None:
    snapshot = service.gateway.title_snapshot(bundle.contents.title_ids.tolist(), service.now)
    catalogue, vectors = Catalogue.prepare(snapshot), ModelVectors.of(bundle.contents)
    versions = vectors.versions_in(catalogue)
    assert [version.endswith(f"{service.now:%Y%m%dT%H%M%SZ}") for version in versions] == [True]
    served = vectors.in_titles(catalogue, versions).ranking_inputs[s.TITLE_EMBEDDING]
    trained = bundle.contents.title_factors.any(axis=1)
    np.testing.assert_array_equal(served[trained], bundle.contents.title_factors[trained])


def test_the_lake_holds_every_vector_of_the_new_model(service: Service, bundle: Bundle) -> None:
    end = bundle.manifest.data_window.end
    rows = service.lake.read(s.USER_ALS_EMBEDDING, start=end)
    trained = bundle.contents.user_ids[bundle.contents.user_factors.any(axis=1)]
    assert sorted(rows[s.USER_ID].to_pylist()) == trained.tolist()


def test_a_title_that_the_training_does_not_cover_is_solved_for_the_new_champion(
    service: Service, retrained: Retrained, bundle: Bundle
) -> None:
    assert retrained.unsolved_because is None
    assert {FORGOTTEN, HARDLY} <= set(retrained.solved)
    place = bundle.contents.title_ids.tolist().index(FORGOTTEN)
    assert not bundle.contents.title_factors[place].any()
    snapshot = service.gateway.title_snapshot([FORGOTTEN], service.now)
    assert np.abs(snapshot.columns[s.TITLE_EMBEDDING]).max() > 0
    assert str(snapshot.columns[s.MODEL_VERSION][0]).endswith(f"{service.now:%Y%m%dT%H%M%SZ}")


def test_content_vectors_stay_comparable(service: Service, retrained: Retrained, trained_service) -> None:
    columns = [s.TITLE_ID, s.SYNOPSIS_EMBEDDING]

    def contents(lake: Lake) -> dict[str, list[float]]:
        rows = lake.read(s.TITLE_CONTENT, columns=columns).to_pylist()
        return {row[s.TITLE_ID]: row[s.SYNOPSIS_EMBEDDING] for row in rows if row[s.TITLE_ID] != FORGOTTEN}

    before, after = contents(trained_service.lake), contents(service.lake)
    assert before.keys() <= after.keys()
    assert all(np.allclose(after[title], vector, atol=1e-6) for title, vector in before.items())


def test_the_report_says_what_the_threshold_saved(service: Service, retrained: Retrained) -> None:
    folder = service.settings.reports / retrained.version
    published = json.loads((folder / "metrics.json").read_text())["published"]
    assert {table: Published(**counts) for table, counts in published.items()} == retrained.published
    page = (folder / "index.html").read_text()
    assert "Vectors brought online" in page
    assert f"<td>{retrained.published[s.USER_ALS_EMBEDDING.name].unmoved:,}</td>" in page


def test_a_title_waits_for_as_many_viewers_as_are_asked_for(service: Service, retrained: Retrained) -> None:
    assert HARDLY in retrained.solved
    solved = solve_new_titles(service.gateway, service.settings, 13, service.now)
    assert FORGOTTEN in solved
    assert HARDLY not in solved


def test_an_error_without_words_is_named_by_its_kind() -> None:
    assert reason_of(MemoryError()) == "MemoryError"
    assert reason_of(ValueError("no")) == "ValueError: no"


def test_a_retrain_that_fails_leaves_the_champion(service: Service, retrained: Retrained) -> None:
    too_short = CONFIG.model_copy(update={"window_days": 0.001})
    with pytest.raises(ValueError, match="too few"):
        retrain_once(
            service.gateway, service.settings, too_short, StepRecorder(lambda _: None),
            clock=lambda: service.now + timedelta(hours=1),
        )  # fmt: skip
    assert BundleAliases(service.settings.bundles).get(CHAMPION) == retrained.version
