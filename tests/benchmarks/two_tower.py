"""The towers' training: steps of an epoch, on examples of the real shapes, and what a million would take."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

import numpy as np
import torch

from feature_repo import schema as s
from feature_repo.transforms.towers import CONTEXT_INPUT_DIMENSIONS, TITLE_INPUT_DIMENSIONS
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import Effort, summarise
from training.two_tower import TwoTowerConfig, fit_two_tower
from training.two_tower_examples import TowerExamples

STEP: Final = "two-tower, training step"
MILLION: Final = 1_000_000
_EPOCH_SECONDS: Final = 120.0
_MOMENTS_SHARE: Final = 0.5
"""Different histories per positive; several positives of an hour share one."""
_WARM_UP: Final = 5
_MOST_STEPS: Final = 200


def measure_two_tower(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure the steps of one epoch on all cores, as ``python -m training`` takes them."""
    config = TwoTowerConfig(epochs=1)
    steps = min(effort.calls, _MOST_STEPS) + _WARM_UP
    titles = len(subject.state.catalogue)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((titles, TITLE_INPUT_DIMENSIONS)).astype(np.float32)
    # One more for the validation, which is taken from the end.
    examples = synthetic_examples(rng, titles, int(steps * config.batch / (1 - config.validation_share)) + 1)
    instants = [perf_counter()]
    with all_cores() as threads:
        fit_two_tower(
            examples, np.arange(titles).astype(np.str_), inputs,
            config.model_copy(update={"most_examples": len(examples)}),
            progress=lambda *_: instants.append(perf_counter()),
        )  # fmt: skip
    milliseconds = np.diff(instants)[_WARM_UP:] * 1e3
    of_an_epoch = MILLION / config.batch
    yield Measurement(
        STEP, summarise(milliseconds), budget_ms=1e3 * _EPOCH_SECONDS / of_an_epoch,
        note=f"{config.batch:,} positives, {titles:,} titles, {threads} threads: a million examples in "
        f"{milliseconds.mean() * of_an_epoch / 1e3:.0f} s; budget {_EPOCH_SECONDS:.0f} s",
    )  # fmt: skip


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
def all_cores() -> Iterator[int]:
    """Let torch use every core, as in a process that only trains; yield how many threads that are."""
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
