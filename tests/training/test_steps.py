from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from training import steps
from training.steps import StepRecorder


def test_each_step_is_announced_and_recorded_in_order() -> None:
    said: list[str] = []
    recorder = StepRecorder(said.append)
    with recorder.step("read"):
        pass
    with recorder.step("fit"):
        pass
    assert [cost.name for cost in recorder.costs] == ["read", "fit"]
    assert all(cost.seconds >= 0 and cost.peak_mib > 1 for cost in recorder.costs)
    assert said[::2] == ["read ...", "fit ..."]
    assert re.fullmatch(r"fit: \d+\.\d s, peak [\d,]+ MiB", said[3])


def test_a_step_that_raises_is_not_recorded_and_its_error_passes() -> None:
    recorder = StepRecorder(lambda _: None)
    with pytest.raises(ZeroDivisionError), recorder.step("fit"):
        raise ZeroDivisionError
    assert recorder.costs == []


def test_the_peak_is_that_of_the_step_where_the_kernel_can_tell() -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux can start the peak anew")
    recorder = StepRecorder(lambda _: None)
    with recorder.step("large"):
        np.ones(50 << 20, dtype=np.uint8).sum()
    with recorder.step("small"):
        pass
    large, small = recorder.costs
    assert recorder.peak_mib == large.peak_mib
    assert large.peak_mib - small.peak_mib > 25


def test_without_proc_the_peak_is_that_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_STATUS", tmp_path / "no" / "status")
    monkeypatch.setattr(steps, "_CLEAR", tmp_path / "no" / "clear_refs")
    recorder = StepRecorder(lambda _: None)
    with recorder.step("anything"):
        pass
    assert recorder.costs[0].peak_mib > 1
