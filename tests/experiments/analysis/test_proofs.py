"""The statistics on simulated experiments of known truth, at small; ``python -m tests.proofs`` at large.

Counts are held against binomial bounds that a right statistic leaves for one seed in a thousand.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from tests.proofs.guardrails import breached
from tests.proofs.layers import interaction_p_values
from tests.proofs.lifts import ALPHA, Judged, judged
from tests.proofs.population import Population
from tests.proofs.pre_periods import PrePeriod, log_ratios
from tests.proofs.sample_ratios import caught, expected_rate
from tests.proofs.suites import any_after_holm, computed_power
from tests.proofs.wear import trends

SMALL = Population(members=600)
EXPERIMENTS = 200


def as_often_as(events: NDArray[np.bool_], rate: float) -> bool:
    return bool(binomtest(int(events.sum()), events.size, rate).pvalue > 0.001)


def at_most(events: NDArray[np.bool_], rate: float) -> bool:
    return bool(binomtest(int(events.sum()), events.size, rate, alternative="greater").pvalue > 0.001)


def at_least(events: NDArray[np.bool_], rate: float) -> bool:
    return at_most(~events, 1 - rate)


@pytest.fixture(scope="module")
def no_difference() -> Judged:
    return judged(SMALL, EXPERIMENTS, seed=11)


@pytest.fixture(scope="module")
def lifted() -> Judged:
    return judged(SMALL, EXPERIMENTS, seed=12, lift=0.2)


class TestNoDifference:
    def test_clustered_test_is_wrong_as_often_as_it_says(self, no_difference: Judged) -> None:
        assert as_often_as(no_difference.fixed, ALPHA)

    def test_sequence_looked_at_daily_is_wrong_no_more_often(self, no_difference: Judged) -> None:
        assert at_most(no_difference.sequential, ALPHA)

    def test_impressions_taken_for_independent_and_daily_looks_are_far_off(
        self, no_difference: Judged
    ) -> None:
        assert not at_most(no_difference.naive, ALPHA)
        assert not at_most(no_difference.fixed_peeked, ALPHA)
        assert no_difference.design_effect.mean() > 3

    def test_five_experiments_at_once_are_wrong_no_more_often_after_holm(self, no_difference: Judged) -> None:
        assert at_most(any_after_holm(no_difference.p, 5), ALPHA)

    @pytest.mark.parametrize(
        "population",
        [
            Population(members=300, activity_shape=0.3), Population(members=400, late=0.7, late_busier=8.0),
            Population(members=400, late=0.0, concentration=1e6),
        ],
        ids=["few very active", "busy ones late", "all alike"],
    )  # fmt: skip
    def test_sequence_holds_for_unusual_members(self, population: Population) -> None:
        assert at_most(judged(population, EXPERIMENTS, seed=13).sequential, ALPHA)


class TestLift:
    def test_power_is_as_computed(self, lifted: Judged) -> None:
        fixed, sequential = computed_power(SMALL, lifted, 0.2)
        assert 0.4 < fixed < 0.95
        assert as_often_as(lifted.fixed, fixed)
        assert at_least(lifted.sequential, sequential)

    def test_intervals_cover_the_truth(self, lifted: Judged) -> None:
        assert as_often_as(lifted.fixed_covers, 1 - ALPHA)
        assert at_least(lifted.sequence_covers, 1 - ALPHA)

    def test_the_estimate_is_not_off(self, lifted: Judged) -> None:
        error = lifted.lift.std(ddof=1) / np.sqrt(EXPERIMENTS)
        assert lifted.lift.mean() == pytest.approx(0.2, abs=3.3 * error + 0.01)


class TestSampleRatio:
    @pytest.mark.parametrize("members", [20_000, 50_000])
    def test_an_arm_that_loses_a_twentieth_is_caught_as_often_as_computed(self, members: int) -> None:
        found = caught(members, 0.05, EXPERIMENTS, seed=14)
        assert as_often_as(found, expected_rate(members, 0.05))
        assert found.mean() > 0.5

    def test_sound_bucketing_is_left_alone(self) -> None:
        assert at_most(caught(20_000, 0.0, 1_000, seed=15), 0.001)


class TestPrePeriod:
    def test_variance_falls_by_the_expected_factor_without_bias(self) -> None:
        setting = PrePeriod(members=400)
        plain, better, said = log_ratios(setting, 600, seed=16, lift=0.05)
        assert better.var() / plain.var() == pytest.approx(setting.expected_ratio, rel=0.15)
        assert setting.expected_ratio < 0.7
        assert better.mean() == pytest.approx(np.log(1.05), abs=3.3 * better.std() / np.sqrt(600))
        assert said.mean() == pytest.approx(better.var(), rel=0.2)
        assert as_often_as(np.abs(better - np.log(1.05)) <= 1.96 * np.sqrt(said), 0.95)


class TestInteraction:
    def test_none_is_found_where_there_is_none(self) -> None:
        assert as_often_as(interaction_p_values(EXPERIMENTS, seed=17, together=0.0) <= ALPHA, ALPHA)

    def test_a_large_one_is_found(self) -> None:
        assert at_least(interaction_p_values(50, seed=18, together=-0.3) <= ALPHA, 0.95)


class TestGuardrail:
    def test_one_look_is_wrong_no_more_often_than_it_says(self) -> None:
        assert at_most(breached(EXPERIMENTS, seed=19, change=0.0, members=2_800)[:, -1], 0.05)

    def test_a_tenth_of_the_members_lost_is_seen(self) -> None:
        assert at_least(breached(50, seed=20, change=-0.1, members=2_800).any(axis=1), 0.95)


class TestNovelty:
    def test_a_lift_that_stays_has_no_trend(self) -> None:
        _, p = trends(SMALL, EXPERIMENTS, seed=21, lift=0.2, wears_off=None)
        assert at_most(p <= ALPHA, ALPHA)

    def test_a_lift_that_wears_off_falls(self) -> None:
        slopes, p = trends(Population(members=3_000), 50, seed=22, lift=0.4, wears_off=5.0)
        assert at_least((p <= ALPHA) & (slopes < 0), 0.9)
