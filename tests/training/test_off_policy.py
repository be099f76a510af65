"""A candidate ranker in the simulated service, judged from a log that another policy made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.ranking import RANKING_FEATURES, at_place
from feature_repo.transforms.towers import context_inputs
from tests.proofs.off_policy import Covered, Population, covered, drawn, population
from training.bundle import BundleContents, load_bundle
from training.off_policy import LOGGING, choices, evaluate_off_policy, offered_features, tower_scores
from training.page_vectors import PageVectors
from training.ranker import Ranker, RankerConfig, fit_ranker
from training.ranker_examples import ShownTiles, ranking_examples
from training.retrieval import Retrieval
from training.two_tower import TwoTower, TwoTowerConfig
from training.two_tower_examples import member_histories

if TYPE_CHECKING:
    from tests.conftest import TrainedService

TOWER = RANKING_FEATURES.index("two_tower_cosine")
SLOTS = np.array([0, 2, 5])


def test_the_best_title_of_each_slot_is_chosen() -> None:
    margins = np.array([0.1, 0.3, 5, 4, 3], np.float32)
    assert choices(margins, SLOTS).tolist() == [0, 1, 1, 0, 0]


def test_equally_good_titles_share_the_slot() -> None:
    assert choices(np.array([1, 1, 2, 2, 0], np.float32), SLOTS).tolist() == [0.5, 0.5, 0.5, 0.5, 0]


def test_a_temperature_spreads_the_choice_by_the_log_odds() -> None:
    margins = np.log(np.array([1, 3, 2, 2, 4], np.float32))
    np.testing.assert_allclose(choices(margins, SLOTS, 1.0), [0.25, 0.75, 0.25, 0.25, 0.5], rtol=1e-6)
    np.testing.assert_allclose(choices(margins, SLOTS, 0.5), [0.1, 0.9, 1 / 6, 1 / 6, 2 / 3], rtol=1e-6)
    assert choices(np.array([900, -900, 0, 0, 0], np.float32), SLOTS, 0.01)[0] == 1


def test_a_negative_temperature_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature = -1"):
        choices(np.zeros(5, np.float32), SLOTS, -1)


@pytest.fixture(scope="module")
def contents(trained_service: TrainedService) -> BundleContents:
    return load_bundle(trained_service.settings.bundles / trained_service.version).contents


@pytest.fixture(scope="module")
def people(trained_service: TrainedService) -> Population:
    return population(
        trained_service.simulated.world, trained_service.end, members=150, stratum=4, seed=3, days=2
    )


@pytest.fixture(scope="module")
def matrix(
    trained_service: TrainedService, people: Population, contents: BundleContents
) -> NDArray[np.float32]:
    offered = offered_features(trained_service.gateway, people.slots)
    offered[:, TOWER] = tower_scores(trained_service.gateway, people.slots, contents)
    return offered


@pytest.fixture(scope="module")
def poor(people: Population, matrix: NDArray[np.float32]) -> Ranker:
    """A ranker that has learned the opposite of what is played."""
    unlikely = (people.plays < np.quantile(people.plays, 0.3)).astype(np.float32)
    return fit_ranker(at_place(matrix), unlikely, None, None, RankerConfig(trees=20, depth=3, threads=1))


def test_the_features_are_those_that_training_computes_of_a_tile_at_that_place(
    trained_service: TrainedService, people: Population, matrix: NDArray[np.float32], contents: BundleContents
) -> None:
    slots = people.slots.take(np.arange(8))
    tower = TwoTower(contents.title_ids, contents.tower_weights, TwoTowerConfig(), {})
    of = slots.slot_of
    tiles = ShownTiles(
        slots.user_ids[of], slots.title_ids, slots.instants[of], slots.device_types[of], of,
        np.zeros(len(of), np.float32), slots.row_indices[of], slots.positions[of],
    )  # fmt: skip

    class Known:
        title_ids = contents.title_ids

        def title_rows(self, ids: NDArray[np.str_]) -> NDArray[np.int64]:
            return np.searchsorted(self.title_ids, ids)

    retrieval = Retrieval(
        trained_service.end,
        Known(),
        Known(),
        None,
        tower,
        contents.tower_title_vectors,
        contents.content_to_als,
    )  # type: ignore[arg-type]
    gateway = trained_service.gateway

    def as_stored(user_ids: np.ndarray, instants: np.ndarray, devices: np.ndarray) -> PageVectors:
        history, mask = member_histories(gateway, user_ids, instants, contents.title_ids)
        towers = tower.user_vectors(history, mask, context_inputs(instants.astype(np.float64), devices))
        unsolved = np.full((len(user_ids), s.ALS_DIMENSIONS), np.nan, dtype=np.float32)
        return PageVectors(unsolved, np.zeros(len(user_ids), dtype=bool), towers)

    examples = ranking_examples(gateway, tiles, retrieval, as_stored)
    # The towers multiply other batches, which rounds otherwise.
    np.testing.assert_allclose(matrix[: len(of)], examples.matrix, rtol=1e-4, atol=1e-6)


def test_a_policy_chooses_as_a_page_would_whatever_the_place_of_the_slot(
    people: Population, matrix: NDArray[np.float32], contents: BundleContents
) -> None:
    ranker = Ranker.from_bytes(contents.ranker)
    here = ranker.margin(at_place(matrix, 4, 6))
    assert (here != ranker.margin(at_place(matrix))).any()  # places do matter to it
    scores = ranker.score(at_place(matrix)).reshape(len(people.slots), -1)
    chosen = choices(ranker.margin(at_place(matrix)), people.slots.offsets).reshape(scores.shape)
    assert (scores[chosen > 0].reshape(-1) >= scores.max(axis=1).repeat((chosen > 0).sum(axis=1))).all()


def test_two_bundles_are_compared_on_one_log(
    trained_service: TrainedService, people: Population, contents: BundleContents, poor: Ranker
) -> None:
    log = drawn(people, np.arange(len(people.slots)), np.random.default_rng(1))
    worse = replace(contents, ranker=poor.to_bytes())
    found = evaluate_off_policy(trained_service.gateway, log, contents, worse)
    assert found.values[LOGGING]["ips"].value == pytest.approx(log.played.mean())
    assert found.values["candidate"]["ips"].members == 150
    assert found.agreement < 0.5
    for method, gain in found.differences.items():
        apart = found.values["candidate"][method].value - found.values["against"][method].value
        assert gain.value == pytest.approx(apart)
    same = evaluate_off_policy(trained_service.gateway, log, contents, contents)
    assert same.agreement == pytest.approx(1)
    assert all(gain.value == 0 for gain in same.differences.values())


@pytest.mark.slow
def test_intervals_hold_the_worlds_truth_and_the_better_ranker_is_found(
    people: Population, matrix: NDArray[np.float32], contents: BundleContents, poor: Ranker
) -> None:
    policies = [
        choices(ranker.margin(at_place(matrix)), people.slots.offsets)
        for ranker in (Ranker.from_bytes(contents.ranker), poor)
    ]
    # Everything is played more often, in the same order: fewer slots then tell as much.
    lively = replace(people, plays=np.sqrt(people.plays))
    rows = covered(lively, matrix, *policies, repetitions=40, members=300, seed=5)
    of: dict[tuple[str, str], Covered] = {(row.policy, row.method): row for row in rows}
    assert of["difference", "ips"].truth > 0
    for row in rows:
        # 95 % of 40, less three standard errors; estimates within three standard errors of the truth.
        assert row.coverage >= 0.85, row
        assert abs(row.mean - row.truth) < 3.5 * row.deviation / np.sqrt(40), row
    assert of["difference", "doubly_robust"].claimed < of["difference", "ips"].claimed
