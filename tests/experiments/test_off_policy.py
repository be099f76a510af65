"""Off-policy estimates against cases worked out by hand, and against every possible log."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from experiments.off_policy import METHODS, LoggedSlots, bootstrap_interval, difference, estimate


def slots(
    rewards: list[float],
    logging: list[float],
    target: list[float],
    members: list[str] | None = None,
    predicted: list[float] | None = None,
    predicted_policy: list[float] | None = None,
) -> LoggedSlots:
    return LoggedSlots(
        np.array(rewards, float),
        np.array(logging, float),
        np.array(target, float),
        np.array(members or [f"m{number}" for number in range(len(rewards))]),
        None if predicted is None else np.array(predicted, float),
        None if predicted_policy is None else np.array(predicted_policy, float),
    )


THREE = slots(
    [1, 0, 1], [0.5, 0.5, 0.25], [1, 0.5, 0], predicted=[0.5, 0.5, 0.25], predicted_policy=[0.4, 0.3, 0.2]
)
"""Weights 2, 1 and 0."""


def test_three_slots_by_hand():
    # IPS (2 + 0 + 0) / 3; SNIPS 2 / 3; DR ((0.4 + 2 * 0.5) + (0.3 - 0.5) + 0.2) / 3.
    assert estimate(THREE, "ips").value == pytest.approx(2 / 3)
    assert estimate(THREE, "snips").value == pytest.approx(2 / 3)
    assert estimate(THREE, "doubly_robust").value == pytest.approx(1.4 / 3)


def test_snips_divides_by_the_weights_and_ips_by_the_slots():
    two = slots([1, 1], [0.5, 0.5], [1, 0.25])  # weights 2 and 0.5
    assert estimate(two, "ips").value == pytest.approx(1.25)
    assert estimate(two, "snips").value == pytest.approx(1.0)


def test_the_effective_number_of_slots_is_kishs():
    assert estimate(THREE, "ips").effective_slots == pytest.approx(9 / 5)


def test_a_clipped_weight_counts_no_more_than_the_bound():
    found = estimate(THREE, "ips", clip=1.5)
    assert found.value == pytest.approx(0.5)
    assert found.clipped_share == pytest.approx(1 / 3)
    assert estimate(THREE, "ips", clip=2).clipped_share == 0


def test_the_logging_policy_itself_earns_the_mean_reward():
    log = slots([1, 0, 0, 1, 1], [0.2, 0.5, 0.1, 0.9, 0.3], [0.2, 0.5, 0.1, 0.9, 0.3])
    assert estimate(log, "ips").value == pytest.approx(0.6)
    assert estimate(log, "snips").value == pytest.approx(0.6)
    assert estimate(log, "ips").effective_slots == pytest.approx(5)


def test_one_slot_per_member_has_the_interval_of_a_mean():
    rng = np.random.default_rng(1)
    rewards = rng.random(40)
    log = slots(rewards.tolist(), [0.5] * 40, [0.5] * 40)
    found = estimate(log, "ips")
    error = rewards.std(ddof=1) / np.sqrt(40)
    assert found.standard_error == pytest.approx(error)
    assert found.high - found.value == pytest.approx(error * stats.t.ppf(0.975, 39))


def test_the_same_slots_of_one_member_are_no_more_evidence_than_one():
    once = slots([1, 0, 1, 0], [0.5] * 4, [0.5] * 4, ["a", "b", "c", "d"])
    thrice = slots([1, 0, 1, 0] * 3, [0.5] * 12, [0.5] * 12, ["a", "b", "c", "d"] * 3)
    for method in ("ips", "snips"):
        assert estimate(thrice, method).standard_error == pytest.approx(estimate(once, method).standard_error)
    assert estimate(thrice, "ips").members == 4


def test_one_member_alone_bounds_nothing():
    found = estimate(slots([1, 0], [0.5, 0.5], [0.5, 0.5], ["a", "a"]), "ips")
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_the_difference_of_a_policy_to_itself_is_zero_for_certain():
    for method in METHODS:
        found = difference(THREE, THREE, method)
        assert (found.value, found.standard_error) == (0, 0)


def test_a_paired_difference_is_surer_than_two_intervals_apart():
    rng = np.random.default_rng(3)
    rewards = (rng.random(400) < 0.3).astype(float).tolist()
    one = slots(rewards, [0.5] * 400, [0.6] * 400)
    other = slots(rewards, [0.5] * 400, [0.5] * 400)
    found = difference(one, other, "ips")
    # The weights are 1.2 and 1: the difference is 0.2 of the mean reward, in each slot.
    assert found.value == pytest.approx(0.2 * np.mean(rewards))
    assert found.standard_error == pytest.approx(0.2 * estimate(other, "ips").standard_error)


def test_policies_on_different_slots_are_not_compared():
    with pytest.raises(ValueError, match="not given the same slots"):
        difference(THREE, slots([0, 0, 1], [0.5] * 3, [0.5] * 3), "ips")


def every_log(
    logging: np.ndarray, target: np.ndarray, rewards: np.ndarray, model: np.ndarray
) -> list[tuple[float, LoggedSlots]]:
    """Every log that the draws could have brought, with its probability; arrays are (slots, actions)."""
    number, actions = logging.shape
    logs = []
    for chosen in product(range(actions), repeat=number):
        at = np.arange(number), np.array(chosen)
        log = LoggedSlots(
            rewards[at],
            logging[at],
            target[at],
            np.array([f"m{slot}" for slot in range(number)]),
            model[at],
            (target * model).sum(axis=1),
        )
        logs.append((float(np.prod(logging[at])), log))
    return logs


def simplex(size: int) -> st.SearchStrategy[list[float]]:
    parts = st.lists(st.floats(0.05, 1), min_size=size, max_size=size)
    return parts.map(lambda values: [value / sum(values) for value in values])


SLOTS, ACTIONS = 3, 3
TABLES = st.lists(
    st.lists(st.floats(-2, 2), min_size=ACTIONS, max_size=ACTIONS), min_size=SLOTS, max_size=SLOTS
)
POLICIES = st.lists(simplex(ACTIONS), min_size=SLOTS, max_size=SLOTS)


@given(POLICIES, POLICIES, TABLES, TABLES)
def test_ips_and_doubly_robust_are_unbiased_over_all_logs_whatever_the_model(logging, target, rewards, model):
    arrays = (np.array(part) for part in (logging, target, rewards, model))
    probability, wanted, reward, predicted = arrays
    truth = float((wanted * reward).sum(axis=1).mean())
    logs = every_log(probability, wanted, reward, predicted)
    assert sum(weight for weight, _ in logs) == pytest.approx(1)
    for method in ("ips", "doubly_robust"):
        expected = sum(weight * estimate(log, method).value for weight, log in logs)
        assert expected == pytest.approx(truth, abs=1e-9)


@given(POLICIES, POLICIES, TABLES)
def test_a_perfect_model_leaves_no_variance(logging, target, rewards):
    probability, wanted, reward = (np.array(part) for part in (logging, target, rewards))
    truth = float((wanted * reward).sum(axis=1).mean())
    for _, log in every_log(probability, wanted, reward, reward):
        assert estimate(log, "doubly_robust").value == pytest.approx(truth, abs=1e-9)


@given(POLICIES, POLICIES, TABLES, st.floats(-5, 5))
def test_snips_moves_with_the_rewards_zero_point_and_stays_within_them(logging, target, rewards, shift):
    probability, wanted, reward = (np.array(part) for part in (logging, target, rewards))
    for _, log in every_log(probability, wanted, reward, reward)[::7]:
        value = estimate(log, "snips").value
        assert log.rewards.min() - 1e-9 <= value <= log.rewards.max() + 1e-9
        moved = LoggedSlots(log.rewards + shift, log.logging, log.target, log.members)
        assert estimate(moved, "snips").value == pytest.approx(value + shift, abs=1e-9)


def drawn(rng: np.random.Generator, members: int) -> LoggedSlots:
    """Members of two kinds, three slots of two actions each; what they like differs by kind."""
    kind = rng.random(members).repeat(3) < 0.5
    first = rng.random(3 * members) < 0.5
    played = rng.random(3 * members) < np.where(kind, 0.6, 0.2) + 0.2 * first
    return LoggedSlots(
        played.astype(float),
        np.full(3 * members, 0.5),
        np.where(first, 0.8, 0.2),
        np.arange(members).repeat(3),
        np.where(first, 0.5, 0.4),
        np.full(3 * members, 0.8 * 0.5 + 0.2 * 0.4),
    )


@pytest.mark.parametrize("method", METHODS)
def test_intervals_hold_the_truth_about_as_often_as_they_say(method):
    truth = 0.4 + 0.2 * 0.8
    rng = np.random.default_rng(11)
    found = [estimate(drawn(rng, 60), method) for _ in range(400)]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.92 <= covered <= 0.98  # 95 % of 400, give or take 2.7 standard errors


@pytest.mark.parametrize("method", METHODS)
def test_the_bootstrap_over_members_agrees_with_the_delta_method(method):
    log = drawn(np.random.default_rng(5), 400)
    found = estimate(log, method)
    low, high = bootstrap_interval(log, method, samples=4000, seed=1)
    assert low == pytest.approx(found.low, abs=0.1 * (found.high - found.low))
    assert high == pytest.approx(found.high, abs=0.1 * (found.high - found.low))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rewards": []}, "rewards is empty"),
        ({"logging": [0.5, 0.0]}, "logging spans 0.0 to 0.5"),
        ({"logging": [0.5, 1.1]}, "logging spans 0.5 to 1.1"),
        ({"target": [0.5, -0.1]}, "target spans -0.1"),
        ({"target": [0.5]}, "target has 1 entries for 2 slots"),
        ({"rewards": [0.5, np.nan]}, "rewards holds nan"),
        ({"members": ["a"]}, "members has 1 entries for 2 slots"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    fields = {"rewards": [1.0, 0.0], "logging": [0.5, 0.5], "target": [0.5, 0.5], "members": ["a", "b"]}
    with pytest.raises(ValueError, match=message):
        slots(**(fields | change))


def test_a_policy_the_log_never_follows_has_no_snips():
    with pytest.raises(ValueError, match="target is 0 in all 2 slots"):
        estimate(slots([1, 0], [0.5, 0.5], [0, 0]), "snips")


def test_without_a_model_there_is_no_doubly_robust_estimate():
    with pytest.raises(ValueError, match="predicted is None"):
        estimate(slots([1, 0], [0.5, 0.5], [1, 1]), "doubly_robust")


def test_a_bound_that_is_no_weight_is_refused():
    with pytest.raises(ValueError, match="clip = 0"):
        estimate(THREE, "ips", clip=0)
