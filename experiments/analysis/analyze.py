"""The analysis of an experiment: its question asked, and every statistic of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from experiments.analysis.arm_comparison import (
    Track,
    effect,
    looks_of,
    naive,
    novelty,
    pre_period_adjusted,
    track,
)
from experiments.analysis.guardrail import guardrail
from experiments.analysis.interaction import interaction
from experiments.analysis.multiplicity import holm, holm_levels
from experiments.analysis.question import Course, Question, asked
from experiments.analysis.ratio_metric import Moments
from experiments.analysis.results import (
    Analysis,
    ArmTotals,
    Comparison,
    Corrected,
    DailyRate,
    Interaction,
    SampleRatio,
)
from experiments.analysis.sample_ratio import BROKEN_BELOW, sample_ratio_test
from experiments.definitions import Experiment, Metric, Status

_OTHER_METRIC: Final[dict[Metric, Metric]] = {
    "play_rate": "completion_rate", "completion_rate": "play_rate",
}  # fmt: skip


def analyze_experiment(
    lake_root: str, experiment: Experiment, now: datetime, concurrent: Sequence[Experiment]
) -> Analysis:
    """Analyse an experiment as of ``now``, over the impressions and events of the lake.

    ``lake_root`` is a path or URL. Of ``concurrent`` (the experiment itself may be among them) those that run
    at ``now`` share Holm's correction, and those of other layers are looked at for interaction. The log keeps
    no versions: asked again with an earlier ``now``, it tells of plays that were joined later, too. Raises
    ``ValueError`` for an experiment that was never started, or for a ``now`` before its start.
    """
    others = [one for one in concurrent if one.name != experiment.name and _runs(one, now)]
    if experiment.started_at is not None and now < experiment.started_at:
        raise ValueError(f"{experiment.name} starts at {experiment.started_at}, after {now}: ask later")
    with asked(lake_root, experiment, now) as question:
        course = question.course()
        tracks = _tracks(experiment, course, experiment.definition.rule.metric)
        p_values = [track.p for track in tracks]
        for other in others:
            p_values += _p_values(lake_root, other, now)
        family = _Family(
            tuple(holm(p_values)), tuple(holm_levels(p_values, experiment.definition.rule.alpha))
        )
        return Analysis(
            experiment=experiment.name,
            layer=experiment.definition.layer,
            metric=experiment.definition.rule.metric,
            alpha=experiment.definition.rule.alpha,
            as_of=now,
            started_at=question.start,
            ended_at=question.end,
            arms=_totals(experiment, course),
            contaminated=question.contaminated,
            sample_ratio=_sample_ratio(experiment, course),
            comparisons=_comparisons(experiment, question, course, tracks, family),
            interactions=_interactions(question, experiment, others),
            concurrent=tuple(sorted(other.name for other in others)),
            daily=_daily(experiment, course),
        )


@dataclass(frozen=True, slots=True)
class _Family:
    """Holm's adjusted p-values and levels: this experiment's arms first, then those of concurrent ones."""

    p: tuple[float, ...]
    level: tuple[float, ...]


def _runs(experiment: Experiment, now: datetime) -> bool:
    return (
        experiment.status is Status.RUNNING
        and experiment.started_at is not None
        and experiment.started_at < now
    )


def _p_values(lake_root: str, experiment: Experiment, now: datetime) -> list[float]:
    """Always-valid p-values of its arms; 1 where its sample ratio is broken and they mean nothing."""
    with asked(lake_root, experiment, now) as question:
        course = question.course()
    broken = _sample_ratio(experiment, course).broken
    return [
        1.0 if broken else one.p for one in _tracks(experiment, course, experiment.definition.rule.metric)
    ]


def _tracks(experiment: Experiment, course: Course, metric: Metric) -> list[Track]:
    moments = course.so_far.moments(metric)
    arms = range(1, len(experiment.definition.arms))
    return [track(moments[0], moments[n], _planned(experiment, course, metric, n), experiment) for n in arms]


def _planned(experiment: Experiment, course: Course, metric: Metric, arm: int) -> tuple[float, float]:
    """Denominators of control and an arm when the experiment has its minimum of impressions."""
    total = course.so_far[:, -1]
    impressions = total.by_name["n"].sum()
    scale = total.moments(metric).n.sum() / impressions if impressions else 1.0
    definition = experiment.definition
    shares = np.array([one.share for one in definition.arms]) / sum(one.share for one in definition.arms)
    planned = np.maximum(definition.rule.minimum_impressions * scale * shares, 1.0)
    return float(planned[0]), float(planned[arm])


def _totals(experiment: Experiment, course: Course) -> tuple[ArmTotals, ...]:
    end = {name: values[:, -1] for name, values in course.so_far.by_name.items()}

    def share_of(part: float, whole: float) -> float | None:
        return float(part / whole) if whole else None

    return tuple(
        ArmTotals(
            name=arm.name, share=arm.share, members=int(end["members"][n]), impressions=int(end["n"][n]),
            plays=int(end["y"][n]), completions=int(end["c"][n]),
            play_rate=share_of(end["y"][n], end["n"][n]), completion_rate=share_of(end["c"][n], end["y"][n]),
        )
        for n, arm in enumerate(experiment.definition.arms)
    )  # fmt: skip


def _sample_ratio(experiment: Experiment, course: Course) -> SampleRatio:
    members = [int(count) for count in course.so_far.by_name["members"][:, -1]]
    chi_square, p = sample_ratio_test(members, [arm.share for arm in experiment.definition.arms])
    return SampleRatio(chi_square=chi_square, p=p, broken=p < BROKEN_BELOW)


def _comparisons(
    experiment: Experiment, question: Question, course: Course, tracks: Sequence[Track], family: _Family
) -> tuple[Comparison, ...]:
    rule = experiment.definition.rule
    members, by_age = question.members(), question.by_age().moments(rule.metric)
    end = course.so_far[:, -1]
    primary, other = end.moments(rule.metric), end.moments(_OTHER_METRIC[rule.metric])
    return tuple(
        Comparison(
            arm=arm.name,
            naive=naive(primary[0], primary[n]),
            effect=effect(rule.metric, primary[0], primary[n], rule.alpha),
            secondary=effect(_OTHER_METRIC[rule.metric], other[0], other[n], rule.alpha),
            looks=looks_of(tracks[n - 1], course.days),
            corrected=_corrected(tracks[n - 1], family, n - 1),
            adjusted=pre_period_adjusted(members, experiment, n),
            novelty=novelty(question, by_age, n, rule.metric),
            guardrail=guardrail(members, experiment, n),
        )
        for n, arm in enumerate(experiment.definition.arms)
        if n
    )


def _corrected(track: Track, family: _Family, place: int) -> Corrected | None:
    level = family.level[place]
    bounds = track.bounds_at_end(level)
    if bounds is None:
        return None
    return Corrected(level=level, low=bounds[0], high=bounds[1], p=family.p[place])


def _interactions(
    question: Question, experiment: Experiment, others: Sequence[Experiment]
) -> tuple[Interaction, ...]:
    definition = experiment.definition
    found: list[tuple[str, str, float, float, float]] = []
    for other in others:
        if other.definition.layer == definition.layer:
            continue
        joint = question.joint(other).moments(definition.rule.metric)
        for ours, arm in enumerate(definition.arms[1:], start=1):
            for theirs, their_arm in enumerate(other.definition.arms[1:], start=1):
                estimate = interaction(_cells(joint, ours, theirs))
                if np.isfinite(estimate.z):
                    numbers = (float(estimate.value), float(estimate.z), float(estimate.p))
                    found.append((arm.name, f"{other.name}/{their_arm.name}", *numbers))
    adjusted = holm([p for *_, p in found])
    return tuple(
        Interaction(arm=arm, other=label, change=change, z=z, p=p, corrected_p=corrected)
        for (arm, label, change, z, p), corrected in zip(found, adjusted, strict=True)
    )


def _cells(joint: Moments, ours: int, theirs: int) -> dict[tuple[int, int], Moments]:
    return {(a, b): joint[ours if a else 0, theirs if b else 0] for a in (0, 1) for b in (0, 1)}


def _daily(experiment: Experiment, course: Course) -> tuple[DailyRate, ...]:
    day = course.of_the_day
    moments = day.moments(experiment.definition.rule.metric)
    return tuple(
        DailyRate(
            day=when, arm=arm.name, members=int(day.by_name["members"][n, d]),
            impressions=int(day.by_name["n"][n, d]), plays=int(day.by_name["y"][n, d]),
            rate=float(moments.y[n, d] / moments.n[n, d]) if moments.n[n, d] else None,
        )
        for n, arm in enumerate(experiment.definition.arms)
        for d, when in enumerate(course.days)
    )  # fmt: skip
