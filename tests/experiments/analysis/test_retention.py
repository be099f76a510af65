"""The guardrail's interval, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.analysis.retention import members_needed, retention_change

Z95 = 1.6448536


def test_interval_of_the_ratio_by_hand() -> None:
    # ratio 0.9; its log has variance 0.4 / 600 + 0.46 / 540. The sequence with alpha 0.1 is tightest for the
    # k = T / V where -k - 1 = W(-0.01 / e); T is that k times the variance at 2,000 members of 57 % each.
    found = retention_change((600, 540), (1_000, 1_000))
    assert found is not None
    margin = Z95 * np.sqrt(0.4 / 600 + 0.46 / 540)
    assert found.change == pytest.approx(-0.1)
    tightest = 6.6383520  # (1 + k) = 0.01 / e * exp(1 + k), by Newton's method
    k = tightest * (2 * 0.43 / 0.57 / 2_000) / (0.4 / 600 + 0.46 / 540)
    over_all = np.sqrt((0.4 / 600 + 0.46 / 540) * (k + 1) / k * np.log((k + 1) / 0.01))
    assert found.upper == pytest.approx(0.9 * np.exp(over_all) - 1, abs=1e-6)
    assert over_all > margin
    assert found.lower == pytest.approx(0.9 * np.exp(-margin) - 1, abs=1e-6)
    assert found.p < 0.05


@pytest.mark.parametrize(("retained", "matured"), [((50, 60), (99, 500)), ((0, 60), (100, 500))])
def test_too_few_members_say_nothing(retained: tuple[int, int], matured: tuple[int, int]) -> None:
    assert retention_change(retained, matured) is None


def test_arms_that_all_came_back_do_not_differ() -> None:
    found = retention_change((200, 300), (200, 300))
    assert found is not None
    assert (found.change, found.p) == (0.0, 1.0)


def test_so_many_members_as_needed_see_the_margin_with_that_power() -> None:
    rng = np.random.default_rng(2)
    count = members_needed(0.6, 0.05, power=0.8)
    ruled_out = 0
    for control, treatment in rng.binomial(count, 0.6, (400, 2)).tolist():
        found = retention_change((control, treatment), (count, count))
        assert found is not None
        ruled_out += found.lower > -0.05
    assert ruled_out / 400 == pytest.approx(0.8, abs=0.08)
