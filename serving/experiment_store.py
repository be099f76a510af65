"""What serving asks of the place where experiments are kept; ``experiments.store.ExperimentStore`` is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from experiments.definitions import Experiment, ExperimentDefinition, Status


class ExperimentSource(Protocol):
    """A store of experiments that all servers share. Instants are of the service's clock, with their zone.

    Every call raises what its database does where that is away.
    """

    def revision(self) -> int:
        """Return a number that rises with every change."""

    def all(self) -> list[Experiment]:
        """Return every experiment there ever was."""

    def holdout(self) -> int:
        """Return how many thousandths of the members see no experiment."""

    def sweep(self, now: datetime) -> Sequence[Any]:
        """Pause the experiments that own buckets of another; return an alert for each."""

    def alert(self, name: str, message: str, now: datetime) -> Any:
        """Record that something is wrong with an experiment."""

    def change_status(self, name: str, status: Status, now: datetime, reason: str) -> Any:
        """Bring an experiment to a status."""

    def create(self, definition: ExperimentDefinition, now: datetime) -> Experiment:
        """Keep a new experiment as a draft.

        Raises ``ExperimentConflictError`` naming the experiment in its way, and ``ExperimentExistsError``.
        """

    def get(self, name: str) -> Experiment:
        """Return an experiment; raises ``UnknownExperimentError``."""

    def decisions(self, name: str) -> Sequence[Any]:
        """Return what was decided about an experiment, first to last."""

    def alerts(self, name: str) -> Sequence[Any]:
        """Return what was wrong with an experiment, first to last."""


OpenExperiments = Callable[[], ExperimentSource]
"""Connects to the store; raises what its database does where that is away."""
