"""An experiment, its analysis and what the rule makes of it, from the store and the lake of a home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from experiments.analysis.analyze import analyze_experiment
from experiments.analysis.results import Analysis
from experiments.bundle_alias import bundle_aliases
from experiments.decision import Verdict, decide
from experiments.definitions import Experiment
from experiments.opening import decisions_folder
from experiments.promotion import carry_out
from experiments.records import DecisionRecord
from experiments.store import ExperimentStore
from feature_repo.settings import Settings


@dataclass(frozen=True, slots=True)
class Judged:
    """An experiment with its analysis and the verdict that follows from it."""

    experiment: Experiment
    analysis: Analysis
    verdict: Verdict


def judge(store: ExperimentStore, settings: Settings, name: str, now: datetime) -> Judged:
    """Analyse an experiment as of ``now``, beside all others; raises ``ValueError`` where that cannot be."""
    experiment = store.get(name)
    analysis = analyze_experiment(settings.lake, experiment, now, store.all())
    return Judged(experiment, analysis, decide(analysis, experiment.definition.rule, now))


def settle(store: ExperimentStore, settings: Settings, judged: Judged, now: datetime) -> DecisionRecord:
    """Do what the verdict says, with a record of its evidence; a verdict that people must see is an alert.

    Raises as :func:`experiments.promotion.carry_out` does.
    """
    name, verdict = judged.experiment.name, judged.verdict
    if verdict.alert:
        store.alert(name, verdict.reason, now)
    return carry_out(
        store, bundle_aliases(settings.bundles), decisions_folder(settings), name, verdict.action,
        verdict.arm, verdict.reason, verdict.evidence, now, "rule",
    )  # fmt: skip
