"""The analysis of whole experiments, from the lake to the numbers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from experiments.analysis.analyze import analyze_experiment
from experiments.analysis.ratio_metric import Moments, log_ratio, ratio
from experiments.analysis.results import Analysis
from experiments.decision import decide
from experiments.definitions import Status
from feature_repo import schema as s
from tests.experiments.analysis.logs import DAY, START, Row, experiment, page, service_log, write

NOW = START + 21 * DAY
RULE = {
    "retention_days": 10, "minimum_days": 7, "minimum_impressions": 10_000, "retention_margin": 0.2,
    "retention_loss": 0.5,
}  # fmt: skip
TRIAL = experiment(rule=RULE)
OTHER = experiment("other", "ui", rule=RULE)
LOG = service_log(
    {"trial/control": 0.2, "trial/new": 0.3}, seed=1, ui=("other/control", "other/new"), together=0.25
)


@pytest.fixture(scope="module")
def lake_root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("lake"), *LOG)


@pytest.fixture(scope="module")
def analysis(lake_root: str) -> Analysis:
    return analyze_experiment(lake_root, TRIAL, NOW, [TRIAL, OTHER])


def moments(rows: list[Row], arm: str) -> Moments:
    counts: dict[str, list[float]] = {}
    for row in rows:
        if row["ranker_arm"] == arm:
            count = counts.setdefault(row[s.USER_ID], [0.0, 0.0])
            count[0] += row[s.PLAYED]
            count[1] += 1
    return Moments.of_members(*np.array(list(counts.values())).T)


def test_effect_is_that_of_the_members_sums(analysis: Analysis) -> None:
    control, new = (ratio(moments(LOG[0], arm)) for arm in ("trial/control", "trial/new"))
    effect = analysis.comparison("new").effect
    assert effect is not None
    assert (effect.control, effect.treatment) == pytest.approx((float(control.value), float(new.value)))
    log = log_ratio(control, new)
    assert effect.z == pytest.approx(float(log.z))
    assert np.log1p([effect.lift_low, effect.lift, effect.lift_high]) == pytest.approx(
        [float(log.interval(0.05)[0]), float(log.value), float(log.interval(0.05)[1])]
    )


def test_totals_are_those_of_the_log(analysis: Analysis) -> None:
    shown = [row for row in LOG[0] if row["ranker_arm"] is not None]
    assert analysis.impressions == len(shown)
    assert sum(arm.plays for arm in analysis.arms) == sum(row[s.PLAYED] for row in shown)
    assert sum(day.impressions for day in analysis.daily) == len(shown)
    assert analysis.contaminated == 0
    assert not analysis.sample_ratio.broken


def test_a_large_lift_is_seen_daily_and_after_the_correction(analysis: Analysis) -> None:
    one = analysis.comparison("new")
    assert one.looks[-1].low > 0
    assert one.corrected is not None
    assert 0 < one.corrected.low < one.looks[-1].low
    assert one.corrected.level == 0.025
    assert one.corrected.p == pytest.approx(2 * one.looks[-1].p)
    assert analysis.concurrent == ("other",)
    assert [look.p for look in one.looks] == sorted((look.p for look in one.looks), reverse=True)


def test_alone_there_is_nothing_to_correct(lake_root: str) -> None:
    ended = OTHER.model_copy(update={"status": Status.PROMOTED})
    later = experiment("later", "candidate", started_at=NOW + DAY)
    found = analyze_experiment(lake_root, TRIAL, NOW, [TRIAL, ended, later])
    one = found.comparison("new")
    assert one.corrected is not None
    assert one.corrected.level == 0.05
    assert one.corrected.p == one.looks[-1].p
    assert found.concurrent == ()
    assert found.interactions == ()


def test_pre_period_narrows_the_interval_and_stays_near(analysis: Analysis) -> None:
    one = analysis.comparison("new")
    assert one.effect is not None
    assert one.adjusted is not None
    assert one.adjusted.variance_ratio < 0.96
    assert one.adjusted.members_known > 0.8
    assert one.effect.lift_low < one.adjusted.lift < one.effect.lift_high


def test_layers_that_get_into_each_others_way_are_told(analysis: Analysis) -> None:
    (found,) = analysis.interactions
    assert (found.arm, found.other) == ("new", "other/new")
    assert found.change == pytest.approx(0.25, abs=0.1)
    assert found.corrected_p < 0.01


def test_guardrail_is_known_once_enough_members_had_the_time(lake_root: str, analysis: Analysis) -> None:
    known = analysis.comparison("new").guardrail
    assert known.known
    assert known.known_from is not None
    before, after = (
        analyze_experiment(lake_root, TRIAL, known.known_from + moment, ()).comparison("new").guardrail
        for moment in (timedelta(seconds=-1), timedelta(0))
    )
    assert (before.known, before.known_from) == (False, known.known_from)
    assert after.known
    assert min(have - need for have, need in zip(after.matured, after.needed, strict=True)) >= 0


def test_guardrail_counts_the_members_who_came_back(analysis: Analysis) -> None:
    watched: dict[str, list[float]] = {}
    for event in LOG[1]:
        watched.setdefault(event[s.USER_ID], []).append((event[s.EVENT_TIMESTAMP] - START) / DAY)
    first = {user: min(at for at in days if at >= 0) for user, days in watched.items() if max(days) >= 0}
    for place in (0, 1):
        mine = {user: at for user, at in first.items() if int(user[1:]) % 2 == place and at + 10 <= 21}
        back = [u for u, at in mine.items() if any(at + 3 <= day < at + 10 for day in watched[u])]
        guardrail = analysis.comparison("new").guardrail
        assert guardrail.matured[place] == len(mine)
        assert guardrail.retained[place] == len(back)


def test_json_gives_the_same_back(analysis: Analysis) -> None:
    assert Analysis.model_validate_json(analysis.to_json()) == analysis


def test_it_is_promoted(analysis: Analysis) -> None:
    verdict = decide(analysis, TRIAL.definition.rule, NOW)
    assert (verdict.action, verdict.arm) == ("promote", "new")


def test_bucketing_that_loses_members_is_caught(tmp_path: Path) -> None:
    rows = [
        row for n in range(400) for row in page(f"u{n}", f"trial/{'new' if n % 3 else 'control'}", START, 2)
    ]
    found = analyze_experiment(write(tmp_path, rows), TRIAL, NOW, ())
    assert found.sample_ratio.broken
    verdict = decide(found, TRIAL.definition.rule, NOW)
    assert (verdict.action, verdict.alert) == ("hold", True)


def test_an_experiment_nobody_saw_yet_is_held(tmp_path: Path) -> None:
    found = analyze_experiment(str(tmp_path), TRIAL, START + DAY, ())
    assert found.impressions == 0
    assert found.comparison("new").effect is None
    assert found.comparison("new").looks == ()
    assert decide(found, TRIAL.definition.rule, START + DAY).action == "hold"


def test_completion_rate_decides_where_it_is_the_metric(lake_root: str) -> None:
    by_completion = experiment(rule=RULE | {"metric": "completion_rate"})
    found = analyze_experiment(lake_root, by_completion, NOW, ())
    effect, secondary = found.comparison("new").effect, found.comparison("new").secondary
    assert effect is not None
    assert secondary is not None
    assert (effect.metric, secondary.metric) == ("completion_rate", "play_rate")
    control = found.arms[0]
    assert effect.control == control.completions / control.plays == control.completion_rate


def test_instants_before_the_start_are_refused(lake_root: str) -> None:
    with pytest.raises(ValueError, match="trial starts at"):
        analyze_experiment(lake_root, TRIAL, START - DAY, ())


def test_control_is_compared_with_nothing(analysis: Analysis) -> None:
    with pytest.raises(KeyError, match="compares no arm 'control'"):
        analysis.comparison("control")
