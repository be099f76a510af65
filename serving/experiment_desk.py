"""What operators do to experiments through a server, which then serves by it at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import structlog

from experiments.bundle_alias import bundle_aliases
from experiments.definitions import Experiment, ExperimentDefinition, Status
from experiments.errors import ExperimentError
from experiments.promotion import carry_out
from experiments.records import Action
from experiments.starting import start_experiment
from experiments.store import ExperimentStore
from serving.arm_preparation import TreatmentRefusedError
from serving.clock import Clock
from serving.experiment_analysis import Analyze, analyze
from serving.experiment_watch import ExperimentWatch, OpenExperiments
from training.bundle import BundleError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ExperimentPlaces:
    """Where experiments are kept, the impressions that decide them (path or URL), and the decisions."""

    open_store: OpenExperiments
    lake: str
    decisions: Path
    analyze: Analyze = analyze


class ExperimentDesk:
    """Changes and looks at experiments. ``now`` is the service's clock, which impressions bear, too.

    Calls raise ``ExperimentError`` for what cannot be done, ``UnknownExperimentError`` and
    ``StoreUnavailableError`` among them.
    """

    def __init__(self, watch: ExperimentWatch, places: ExperimentPlaces, bundles: Path, now: Clock) -> None:
        self._watch, self._places, self._bundles, self._now = watch, places, bundles, now
        self._analysing = Lock()

    @property
    def store(self) -> ExperimentStore:
        """The store."""
        return self._watch.store

    def serves(self, name: str) -> bool:
        """Say whether this server serves the experiment at this moment."""
        return name in self._watch.current.running

    def create(self, definition: ExperimentDefinition) -> Experiment:
        """Keep a new draft; raises ``TreatmentRefusedError`` for an arm that this server could not apply."""
        self._watch.check(definition)
        return self.store.create(definition, self._now())

    def start(self, name: str, reason: str) -> Experiment:
        """Start an experiment, or start it again; one that this server could not serve stays as it is."""
        try:
            self._watch.check(self.store.get(name).definition)
        except TreatmentRefusedError as error:
            raise ExperimentError(f"experiment {name!r} cannot run on this server: {error}") from error
        start_experiment(self.store, bundle_aliases(self._bundles), name, self._now(), reason)
        self._watch.look()
        return self.store.get(name)

    def pause(self, name: str, reason: str) -> Experiment:
        """Pause an experiment: its members see control."""
        self.store.change_status(name, Status.PAUSED, self._now(), reason)
        self._watch.look()
        return self.store.get(name)

    def promote(self, name: str, arm: str, reason: str) -> Experiment:
        """End an experiment for an arm, with its analysis as the evidence; of a ranker, its bundle serves."""
        return self._decided(name, "promote", arm, reason, self._evidence(self.store.get(name)))

    def roll_back(self, name: str, reason: str) -> Experiment:
        """End an experiment for control, or take its promotion back. At once: no analysis is waited for."""
        return self._decided(name, "roll_back", None, reason, {})

    def analysis(self, name: str) -> str:
        """Return the analysis of an experiment as JSON; one at a time, as each takes what memory it finds."""
        store = self.store
        with self._analysing:
            return self._places.analyze(
                self._places.lake, store.get(name), self._now(), store.running()
            ).to_json()

    def _evidence(self, experiment: Experiment) -> dict[str, Any]:
        """Return the analysis, or why there is none: an operator may know better than the log."""
        try:
            return {"analysis": json.loads(self.analysis(experiment.name))}
        except Exception as error:  # a lake that is away, most likely
            _log.exception("a decision without its analysis", experiment=experiment.name)
            return {"no_analysis": str(error)}

    def _decided(
        self, name: str, action: Action, arm: str | None, reason: str, evidence: dict[str, Any]
    ) -> Experiment:
        aliases, folder = bundle_aliases(self._bundles), self._places.decisions
        try:
            carry_out(
                self.store, aliases, folder, name, action, arm, reason, evidence, self._now(), "operator"
            )
        except BundleError as error:
            raise ExperimentError(str(error)) from error
        self._watch.look()
        return self.store.get(name)
