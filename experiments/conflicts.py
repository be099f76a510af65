"""The conflict sweep: which running experiments must not run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Row

from experiments.definitions import Experiment
from experiments.errors import DamagedExperimentError
from experiments.rows import experiment_of


@dataclass(frozen=True, slots=True)
class Conflict:
    """An experiment that is to be paused, and why."""

    name: str
    message: str


def conflicts(running: Iterable[Row[tuple[object, ...]]]) -> list[Conflict]:
    """Return the experiments among these that must be paused so that the others are valid and disjoint.

    Those that started first stay; of two with the same start, the one that was created first.
    """
    found, valid = [], []
    for row in running:
        try:
            valid.append(experiment_of(row))
        except DamagedExperimentError as error:
            found.append(Conflict(error.name, f"paused: {error}"))
    staying: list[Experiment] = []
    for experiment in sorted(valid, key=_seniority):
        other = next((e for e in staying if e.overlaps(experiment)), None)
        if other is None:
            staying.append(experiment)
        else:
            found.append(Conflict(experiment.name, _overlap(experiment, other)))
    return found


def _seniority(experiment: Experiment) -> tuple[object, ...]:
    started = experiment.started_at or experiment.created_at
    return started, experiment.created_at, experiment.name


def _overlap(experiment: Experiment, other: Experiment) -> str:
    common = range(
        max(experiment.first_bucket, other.first_bucket), min(experiment.buckets.stop, other.buckets.stop)
    )
    return (
        f"paused: {other.name!r}, which started earlier, owns buckets {common.start} to {common.stop - 1} of "
        f"the layer {experiment.definition.layer} too; roll back one of the two"
    )
