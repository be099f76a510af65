"""The towers' training: steps of an epoch, on examples of the real shapes, and what a million would take."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.towers import CONTEXT_INPUT_DIMENSIONS, TITLE_INPUT_DIMENSIONS
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import Effort, summarise
from training.two_tower import TwoTowerConfig
from training.two_tower_examples import TowerExamples
from training.two_tower_fit import fit_two_tower

STEP: Final = "two-tower, training step"
STEP_ON_ALL_CORES: Final = "two-tower, training step, a thread per core"
MILLION: Final = 1_000_000
_EPOCH_SECONDS: Final = 120.0
_MOMENTS_SHARE: Final = 0.5
"""Different histories per positive; several positives of an hour share one."""
_WARM_UP: Final = 5
_MOST_STEPS: Final = 200


def measure_two_tower(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure the steps of one epoch with one thread, as ``make pipeline`` takes them, and with all cores."""
    cores = os.cpu_count() or 1
    titles = len(subject.state.catalogue)
    steps = min(effort.calls, _MOST_STEPS)
    of_an_epoch = MILLION / TwoTowerConfig().batch
    for name, threads in ((STEP, 1), (STEP_ON_ALL_CORES, cores)):
        with torch_threads(threads):
            milliseconds = step_times(titles, steps)
        million = milliseconds.mean() * of_an_epoch / 1e3
        yield Measurement(
            name, summarise(milliseconds), budget_ms=1e3 * _EPOCH_SECONDS / of_an_epoch,
            note=f"{titles:,} titles, {threads} threads: a million examples in {million:.0f} s",
        )  # fmt: skip


def step_times(titles: int, steps: int) -> NDArray[np.float64]:
    """Return the milliseconds of each of ``steps`` steps, after some that do not count."""
    config = TwoTowerConfig(epochs=1)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((titles, TITLE_INPUT_DIMENSIONS)).astype(np.float32)
    # The validation is taken from the end.
    positives = int((steps + _WARM_UP) * config.batch / (1 - config.validation_share)) + 1
    instants = [perf_counter()]
    fit_two_tower(
        synthetic_examples(rng, titles, positives), np.arange(titles).astype(np.str_), inputs,
        config.model_copy(update={"most_examples": positives}),
        progress=lambda *_: instants.append(perf_counter()),
    )  # fmt: skip
    milliseconds: NDArray[np.float64] = np.diff(instants)[_WARM_UP : _WARM_UP + steps] * 1e3
    return milliseconds


def synthetic_examples(rng: np.random.Generator, titles: int, positives: int) -> TowerExamples:
    """Return ``positives`` examples with full histories, an even minute apart, titles drawn evenly."""
    moments = max(1, int(positives * _MOMENTS_SHARE))
    context = np.zeros((positives, CONTEXT_INPUT_DIMENSIONS), dtype=np.float32)
    context[:, 0] = 1.0
    return TowerExamples(
        titles=rng.integers(0, titles, positives, dtype=np.int32),
        instants=np.arange(positives, dtype=np.int64) * 60_000_000,
        context=context,
        moments=rng.integers(0, moments, positives, dtype=np.int32),
        history=rng.integers(0, titles, (moments, s.RECENT_TITLES), dtype=np.int32),
        mask=rng.random((moments, s.RECENT_TITLES), dtype=np.float32),
    )


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch use so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
