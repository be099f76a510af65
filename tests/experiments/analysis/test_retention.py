"""The guardrail's interval, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.analysis.retention import members_needed, planned_variance, retention_change

Z95, Z90 = 1.6448536, 1.2815516
TIGHTEST = 6.6383520
"""The k for which 1 + k = 0.01 / e * exp(1 + k), by Newton's method: that of the sequence with alpha 0.1."""


def test_interval_of_the_relative_difference_by_hand() -> None:
    found = retention_change((600, 540), (1_000, 1_000), 0.01, 0.1)
    assert found is not None
    assert found.change == pytest.approx(-0.1)
    # With one more of each kind: 601 and 541 of 1,002.
    control, treatment = 601 / 1_002, 541 / 1_002
    variance = (control * (1 - control) + treatment * (1 - treatment)) / 1_002 / 0.6**2
    middle = (treatment - control) / 0.6
    assert found.lower == pytest.approx(middle - Z95 * np.sqrt(variance), abs=1e-6)
    k = TIGHTEST * (0.09 / (np.sqrt(TIGHTEST + 1) + Z90)) ** 2 / variance
    over_all = np.sqrt(variance * (k + 1) / k * np.log((k + 1) / 0.01))
    assert found.upper == pytest.approx(middle + over_all, abs=1e-6)
    assert found.p < 0.05


def test_members_needed_to_see_a_loss_by_hand() -> None:
    # A loss of a tenth leaves 0.54 of 0.6. Of N members each the variance is (0.24 + 0.2484) / 0.36 / N; with
    # it the sequence's half width and the deviation not passed in 90 % are 0.09 together.
    found = retention_change((600, 600), (1_000, 1_000), 0.01, 0.1)
    assert found is not None
    expected = (0.24 + 0.2484) / 0.36 * (np.sqrt(TIGHTEST + 1) + Z90) ** 2 / 0.09**2
    assert found.needed == (np.ceil(expected),) * 2 == (2_741, 2_741)


def test_at_the_members_needed_the_loss_is_seen_nine_times_in_ten() -> None:
    rng = np.random.default_rng(3)
    needed = 2_741
    seen = 0
    for control, treatment in zip(*rng.binomial(needed, [[0.6], [0.54]], (2, 400)).tolist(), strict=True):
        found = retention_change((control, treatment), (needed, needed), 0.01, 0.1)
        assert found is not None
        seen += found.upper < -0.01
    assert seen / 400 == pytest.approx(0.9, abs=0.06)


def test_a_greater_loss_is_seen_with_fewer_members() -> None:
    assert planned_variance(0.0, 0.2) == pytest.approx(4 * planned_variance(0.0, 0.1))


@pytest.mark.parametrize("came_back", [0, 1])
def test_an_arm_to_which_hardly_anybody_comes_back_has_a_sensible_end(came_back: int) -> None:
    found = retention_change((60, came_back), (100, 100), 0.01, 0.1)
    assert found is not None
    assert found.change < -0.98
    assert found.change < found.upper < -0.5


def test_hardly_anybody_in_both_arms_says_little() -> None:
    found = retention_change((2, 1), (100, 100), 0.01, 0.1)
    assert found is not None
    assert found.upper > 0
    assert min(found.needed) > 10_000


@pytest.mark.parametrize(("retained", "matured"), [((50, 60), (99, 500)), ((0, 60), (100, 500))])
def test_too_few_members_say_nothing(retained: tuple[int, int], matured: tuple[int, int]) -> None:
    assert retention_change(retained, matured, 0.01, 0.1) is None


def test_arms_that_all_came_back_do_not_differ() -> None:
    found = retention_change((200, 300), (200, 300), 0.01, 0.1)
    assert found is not None
    assert (found.change, found.p) == (0.0, 1.0)
    assert found.lower < 0 < found.upper


def test_so_many_members_as_needed_see_the_margin_with_that_power() -> None:
    rng = np.random.default_rng(2)
    count = members_needed(0.6, 0.05, power=0.8)
    ruled_out = 0
    for control, treatment in rng.binomial(count, 0.6, (400, 2)).tolist():
        found = retention_change((control, treatment), (count, count), 0.01, 0.1)
        assert found is not None
        ruled_out += found.lower > -0.05
    assert ruled_out / 400 == pytest.approx(0.8, abs=0.08)
