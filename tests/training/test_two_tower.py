from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from feature_repo import schema as s
from feature_repo.transforms.towers import CONTEXT_INPUT_DIMENSIONS, TITLE_INPUT_DIMENSIONS
from training.two_tower import TwoTower, TwoTowerConfig
from training.two_tower_examples import TowerExamples
from training.two_tower_fit import fit_two_tower
from training.two_tower_validation import held_back

TITLES = np.array([f"t{row}" for row in range(40)])
DAY = 86_400_000_000
CONFIG = TwoTowerConfig(epochs=12, patience=12, batch=128, uniform_negatives=32, learning_rate=5e-3)


def inputs() -> np.ndarray:
    """Even titles are of one genre, odd ones of another; t39 looks like the odd ones."""
    made = np.zeros((40, TITLE_INPUT_DIMENSIONS), dtype=np.float32)
    made[np.arange(40), np.arange(40) % 2] = 1.0
    return made


def examples(n: int = 2_000, seed: int = 0) -> TowerExamples:
    """Whoever watched an even title watches an even one next, and so with odd ones; nobody watches t39."""
    rng = np.random.default_rng(seed)
    camp = rng.integers(0, 2, n)
    watched, wanted = (2 * rng.integers(0, 19, n) + camp for _ in range(2))
    history = np.zeros((n, s.RECENT_TITLES), dtype=np.int32)
    mask = np.zeros((n, s.RECENT_TITLES), dtype=np.float32)
    history[:, 0], mask[:, 0] = watched, 1.0
    context = np.zeros((n, CONTEXT_INPUT_DIMENSIONS), dtype=np.float32)
    instants = np.sort(rng.integers(0, 30 * DAY, n))
    return TowerExamples(
        wanted.astype(np.int32), instants, context, np.arange(n, dtype=np.int32), history, mask
    )


@pytest.fixture(scope="module")
def trained() -> TwoTower:
    return fit_two_tower(examples(), TITLES, inputs(), CONFIG)


def scores(tower: TwoTower, watched: int) -> np.ndarray:
    history = np.full((1, s.RECENT_TITLES), watched, dtype=np.int32)
    mask = np.zeros((1, s.RECENT_TITLES), dtype=np.float32)
    mask[0, 0] = 1.0
    user = tower.user_vectors(history, mask, np.zeros((1, CONTEXT_INPUT_DIMENSIONS), np.float32))
    found: np.ndarray = (user @ tower.title_vectors(inputs()).T)[0]
    return found


def test_a_member_is_near_to_titles_like_those_they_watched(trained: TwoTower) -> None:
    for watched in (4, 11):
        found = scores(trained, watched)
        same = np.arange(40) % 2 == watched % 2
        assert found[same].min() > found[~same].max()


def test_a_title_nobody_has_watched_is_found_by_its_content(trained: TwoTower) -> None:
    assert scores(trained, 11)[39] > scores(trained, 4)[39] + 0.3


@pytest.mark.parametrize("switched", ["mixed_precision", "compile"])
def test_what_a_gpu_switches_on_learns_the_same_without_one(switched: str) -> None:
    few = {"epochs": 3, "patience": 3}
    some = examples(800)
    plain = fit_two_tower(some, TITLES, inputs(), CONFIG.model_copy(update=few))
    other = fit_two_tower(some, TITLES, inputs(), CONFIG.model_copy(update={**few, switched: "on"}))
    losses = [np.array(tower.curves["two-tower loss"]) for tower in (plain, other)]
    assert losses[1][-1] < losses[1][0]
    # bfloat16 has eight bits of precision; compiling may add up in another order.
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05 if switched == "mixed_precision" else 1e-3)
    assert all(weight.dtype == np.float32 for weight in other.weights.values())


def test_training_is_told_of_and_drawn(trained: TwoTower) -> None:
    assert len(trained.curves["two-tower loss"]) == len(trained.curves["two-tower validation recall"]) > 0
    assert trained.curves["two-tower loss"][-1] < trained.curves["two-tower loss"][0]


def test_the_seed_decides() -> None:
    short = CONFIG.model_copy(update={"epochs": 1})
    first, again = (fit_two_tower(examples(300), TITLES, inputs(), short) for _ in range(2))
    other = fit_two_tower(examples(300), TITLES, inputs(), short.model_copy(update={"seed": 1}))
    for name, array in first.weights.items():
        np.testing.assert_array_equal(array, again.weights[name])
    assert not np.array_equal(first.weights["user_out"], other.weights["user_out"])


def test_training_stops_when_the_validation_gets_no_better() -> None:
    patient = CONFIG.model_copy(update={"epochs": 50, "patience": 1})
    assert len(fit_two_tower(examples(), TITLES, inputs(), patient).curves["two-tower loss"]) < 50


def test_a_warm_start_takes_weights_by_title(trained: TwoTower) -> None:
    order = np.random.default_rng(1).permutation(40)
    still = CONFIG.model_copy(update={"warm_epochs": 0})
    moved = fit_two_tower(examples(), TITLES[order], inputs()[order], still, warm_start=trained)
    np.testing.assert_array_equal(moved.weights["history"], trained.weights["history"][order])
    np.testing.assert_array_equal(moved.weights["title_out"], trained.weights["title_out"])


def test_without_positives_the_towers_are_as_they_began() -> None:
    nothing = examples().take(np.zeros(2_000, dtype=bool))
    tower = fit_two_tower(nothing, TITLES, inputs(), CONFIG)
    assert np.linalg.norm(tower.title_vectors(inputs()), axis=1) == pytest.approx(1, abs=1e-4)


def test_the_latest_day_is_held_back_and_at_most_what_was_asked_for_is_used() -> None:
    training, validation = held_back(examples(), 0.05, most=1_500)
    assert len(training) + len(validation) == 1_500
    held = validation.examples.instants
    assert training.instants.max() < held.min()
    assert held.max() - held.min() <= DAY


def test_where_the_last_day_holds_nearly_everything_a_share_is_held_back() -> None:
    crowded = examples(1_000)
    crowded = TowerExamples(
        crowded.titles,
        crowded.instants // 100,
        crowded.context,
        crowded.moments,
        crowded.history,
        crowded.mask,
    )
    _, validation = held_back(crowded, 0.05, most=10_000)
    assert len(validation) == 50


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"batch": 1}, {"input_dropout": 1}, {"speed": 1}])
def test_a_wrong_setting_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TwoTowerConfig.model_validate(wrong)
