from __future__ import annotations

from typing import Any

import numpy as np

from serving.background_pace import AT_ONCE, TITLES_A_STEP, Pace, read_titles


def test_it_rests_between_steps_and_not_after_the_last() -> None:
    rests: list[float] = []
    assert list(Pace(3.0, rests.append).steps("abc")) == ["a", "b", "c"]
    assert len(rests) == 2
    assert list(Pace(0.0, rests.append).steps("abc")) == ["a", "b", "c"]
    assert len(rests) == 2


def test_titles_read_in_steps_are_those_read_at_once(small: Any) -> None:
    ids = [f"t{row:03d}" for row in range(160)]
    rests: list[float] = []
    whole = read_titles(small.features, ids, small.time[0], AT_ONCE)
    steps = read_titles(small.features, ids, small.time[0], Pace(1.0, rests.append))
    assert len(rests) == (len(ids) - 1) // TITLES_A_STEP
    assert steps.row_of == whole.row_of
    assert steps.title_ids.tolist() == ids
    assert set(steps.columns) == set(whole.columns)
    for name, column in whole.columns.items():
        assert [np.array_equal(a, b, equal_nan=column.dtype.kind == "f")
                for a, b in zip(column, steps.columns[name], strict=True)] == [True] * len(ids)  # fmt: skip
