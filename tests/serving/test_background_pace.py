from __future__ import annotations

from serving.background_pace import Pace


def test_it_rests_between_steps_and_not_after_the_last() -> None:
    rests: list[float] = []
    assert list(Pace(3.0, rests.append).steps("abc")) == ["a", "b", "c"]
    assert len(rests) == 2
    assert list(Pace(0.0, rests.append).steps("abc")) == ["a", "b", "c"]
    assert len(rests) == 2
