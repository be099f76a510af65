"""Keeps a server at the experiments that run: looks for changes, serves what can be, pauses what cannot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from experiments.definitions import ExperimentDefinition, Status
from experiments.errors import StoreUnavailableError, TransitionError
from experiments.records import ClockReading
from experiments.store import ExperimentStore
from serving.arm_preparation import ArmPreparation, HeldBundles
from serving.clock import Clock
from serving.metrics import Metrics
from serving.served_experiments import ServedExperiments
from serving.settings import ServingSettings

POLL_EVERY: Final = timedelta(seconds=2)
SWEEP_EVERY: Final = timedelta(minutes=1)
"""Everything is read and swept anew this often though nothing has changed that was announced."""
_CHALLENGER: Final = "challenger"

OpenExperiments = Callable[[], ExperimentStore]
"""Opens the store; raises ``StoreUnavailableError`` where its database is away."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WatchClocks:
    """``wall`` says when to look; ``service`` gives the instants that the store and the pages keep."""

    wall: Clock
    service: Clock
    poll_every: timedelta = POLL_EVERY


class ExperimentWatch:
    """Keeps :attr:`current` at what the store says.

    With the store away the last known experiments stay, and before its first answer there are none. One
    whose treatments cannot be applied on this server is not served: its members see what everybody sees,
    and it is paused in the store with the reason and an alert.
    """

    def __init__(
        self,
        open_store: OpenExperiments,
        bundles: HeldBundles,
        settings: ServingSettings,
        metrics: Metrics,
        clocks: WatchClocks,
    ) -> None:
        self._open_store, self._bundles = open_store, bundles
        self._preparation = ArmPreparation(bundles, settings)
        self._metrics, self._clocks = metrics, clocks
        self._current = ServedExperiments.none(settings)
        self._store: ExperimentStore | None = None
        self._opening, self._looking = threading.Lock(), threading.Lock()
        self._seen: tuple[int, str | None] | None = None
        """The revision and the challenger that :attr:`current` was made of; None: look again."""
        self._swept_at: datetime | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> ServedExperiments:
        """What is served at this moment."""
        return self._current

    @property
    def store(self) -> ExperimentStore:
        """The store, opened at the first call that finds it there; raises ``StoreUnavailableError``."""
        with self._opening:
            if self._store is None:
                self._store = self._open_store()
            return self._store

    def start(self) -> None:
        """Look now, and from now on in the background."""
        self.look()
        self._thread = threading.Thread(target=self._keep_looking, name="experiment-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background looks."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        if self._store is not None:
            self._store.close()

    def look(self) -> None:
        """Look once for a change, and serve by it. Never raises."""
        with self._looking:
            try:
                self._look()
            except Exception:  # the store's database, most likely: pages go on by what was known
                self._seen = None
                self._metrics.experiment_store_failed()
                _log.exception("the experiments could not be read; the last known stay")

    def check(self, definition: ExperimentDefinition) -> None:
        """Raise ``TreatmentRefusedError`` where an experiment could not run on this server."""
        self._preparation.check(definition)

    def _keep_looking(self) -> None:
        while not self._stopping.wait(self._clocks.poll_every.total_seconds()):
            self.look()

    def _look(self) -> None:
        store, challenger = self.store, self._challenger()
        if self._seen == (store.revision(), challenger) and not self._sweep_is_due():
            return
        self._metrics.experiments_paused(len(store.sweep(self._clocks.service())))
        self._swept_at = self._clocks.wall()
        self._leave_clock(store)
        # Before the experiments are read: what changes in between is found at the next look.
        revision = store.revision()
        prepared = self._preparation.prepare(store.running())
        served = self._current.with_experiments(
            prepared.served, prepared.arms, store.holdout(), self._bundles
        )
        before, self._current = self._current, served
        if (served.running, served.bundles) != (before.running, before.bundles):
            self._metrics.experiments_changed()
            _log.info("experiments in service", revision=revision, running=sorted(served.running))
        self._bundles.release(served.bundles)
        for name, reason in prepared.refused.items():
            self._pause(store, name, reason)
        self._seen = None if prepared.waiting else (revision, challenger)

    def _leave_clock(self, store: ExperimentStore) -> None:
        """Tell commands on experiments what pages are dated by; a store that is only read serves, too."""
        try:
            store.keep_clock(ClockReading(service=self._clocks.service(), wall=self._clocks.wall()))
        except StoreUnavailableError:
            _log.exception("the clock could not be left in the experiment store")

    def _sweep_is_due(self) -> bool:
        return self._swept_at is None or self._clocks.wall() - self._swept_at >= SWEEP_EVERY

    def _challenger(self) -> str | None:
        try:
            return self._bundles.version_of(_CHALLENGER)
        except ValueError:  # an experiment that names it is refused with this very reason
            return None

    def _pause(self, store: ExperimentStore, name: str, reason: str) -> None:
        """Pause an experiment that cannot be served; another server may have done so already."""
        now = self._clocks.service()
        try:
            store.change_status(name, Status.PAUSED, now, reason)
        except TransitionError:
            return
        store.alert(name, reason, now)
        self._metrics.experiments_paused(1)
        _log.error("experiment paused", experiment=name, reason=reason)
