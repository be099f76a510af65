"""Holm's correction, by hand."""

from __future__ import annotations

import pytest

from experiments.analysis.multiplicity import holm, holm_levels


def test_holm_by_hand() -> None:
    # sorted 0.01, 0.02, 0.03, 0.5: times 4, 3, 2, 1, never falling
    assert holm([0.02, 0.5, 0.01, 0.03]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert holm([]) == []
    assert holm([0.04]) == [0.04]


def test_levels_are_those_that_each_is_tested_at() -> None:
    assert holm_levels([0.02, 0.5, 0.01, 0.03], 0.05) == pytest.approx([0.05 / 3, 0.05, 0.05 / 4, 0.05 / 2])
