"""Which buckets of its layer an experiment gets, and what is said where there are none for it."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.definitions import BUCKETS, Experiment, ExperimentDefinition
from experiments.errors import ExperimentConflictError


def free_ranges(owners: Sequence[Experiment]) -> list[range]:
    """Return the runs of buckets that none of ``owners``, of one layer, has; in order."""
    free, begin = [], 0
    for owner in sorted(owners, key=lambda e: e.first_bucket):
        if owner.first_bucket > begin:
            free.append(range(begin, owner.first_bucket))
        begin = max(begin, owner.buckets.stop)
    return [*free, range(begin, BUCKETS)] if begin < BUCKETS else free


def allot(definition: ExperimentDefinition, owners: Sequence[Experiment]) -> int:
    """Return the first bucket for an experiment beside the owners of buckets in its layer.

    That is the one it asks for, else the first gap that is wide enough. Raises
    :class:`ExperimentConflictError` naming those in the way.
    """
    free = free_ranges(owners)
    traffic = definition.traffic
    if definition.first_bucket is None:
        for gap in free:
            if len(gap) >= traffic:
                return gap.start
        raise _no_room(definition, owners, free)
    asked = range(definition.first_bucket, definition.first_bucket + traffic)
    in_the_way = [owner for owner in owners if _common(owner.buckets, asked)]
    if in_the_way:
        raise ExperimentConflictError(
            f"{definition.name!r} asks for buckets {_said(asked)} of the layer {definition.layer}, of which "
            f"{_owned(in_the_way)}: {_remedy(free, traffic)}"
        )
    return asked.start


def check_alone(experiment: Experiment, owners: Sequence[Experiment]) -> None:
    """Raise :class:`ExperimentConflictError` where another owner of the layer has its buckets."""
    in_the_way = [o for o in owners if o.name != experiment.name and o.overlaps(experiment)]
    if in_the_way:
        raise ExperimentConflictError(
            f"{experiment.name!r} cannot run on buckets {_said(experiment.buckets)} of the layer "
            f"{experiment.definition.layer}, of which {_owned(in_the_way)}: roll back "
            f"{' and '.join(repr(o.name) for o in in_the_way)} first, or roll back {experiment.name!r} and "
            "create another"
        )


def _no_room(
    definition: ExperimentDefinition, owners: Sequence[Experiment], free: list[range]
) -> ExperimentConflictError:
    total, traffic = sum(o.definition.traffic for o in owners), definition.traffic
    why = (
        f"would bring the layer's traffic to {total + traffic}, over {BUCKETS} (100 %)"
        if total + traffic > BUCKETS
        else "fits in no gap"
    )
    return ExperimentConflictError(
        f"{definition.name!r} asks for {traffic} buckets of the layer {definition.layer}, which {why}; "
        f"there {_owned(owners)}: {_remedy(free, traffic)}"
    )


def _remedy(free: list[range], traffic: int) -> str:
    """Say what would fit."""
    if not free:
        return "no bucket is free, roll back one of them"
    widest = max(len(gap) for gap in free)
    fitting = f"lower traffic to {widest} or less" if widest < traffic else "choose among these"
    return f"free are {' and '.join(map(_said, free))}; {fitting}, or roll back one of them"


def _owned(owners: Sequence[Experiment]) -> str:
    ordered = sorted(owners, key=lambda e: e.first_bucket)
    return " and ".join(f"{o.name!r} ({o.status}) owns {_said(o.buckets)}" for o in ordered)


def _said(buckets: range) -> str:
    return f"{buckets.start} to {buckets.stop - 1}"


def _common(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)
