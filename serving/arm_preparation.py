"""Brings the arms of experiments to what they change on this server, or says why they cannot be applied."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from pydantic import ValidationError

from experiments.definitions import Arm, Experiment, ExperimentDefinition, Treatment
from experiments.errors import ExperimentError
from serving.served_experiments import BundleStates, ServedArm, served_arm
from serving.settings import ServingSettings

_log = structlog.get_logger(__name__)


class TreatmentRefusedError(ExperimentError):
    """A treatment that this server cannot apply: the place of its arm, its name and the reason."""

    def __init__(self, place: int, arm: str, reason: str) -> None:
        super().__init__(f"arm {arm!r}: {reason}")
        self.place, self.reason = place, reason


class HeldBundles(BundleStates, Protocol):
    """Where bundles are held for experiments; ``serving.bundles.StateKeeper`` is one."""

    def version_of(self, name: str) -> str:
        """Return the version that an alias stands for; raises ``ValueError`` for none."""

    def load(self, version: str) -> object:
        """Read a bundle; raises ``ValueError`` with its reason where it cannot serve."""

    def hold(self, version: str) -> None:
        """Hold one more bundle; raises ``ValueError`` with its reason where it cannot serve."""

    def release(self, but: Collection[str]) -> None:
        """Let go of all bundles but these."""


@dataclass(slots=True)
class Prepared:
    """What became of the running experiments.

    ``served`` ones are ready, ``refused`` ones cannot be applied (name to reason), and ``waiting`` ones
    could not be tried, since something that they need is away.
    """

    served: list[Experiment] = field(default_factory=list)
    arms: dict[tuple[str, str], ServedArm] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


class ArmPreparation:
    """Applies treatments to the settings of a server, and holds the bundles that they name."""

    def __init__(self, bundles: HeldBundles, settings: ServingSettings) -> None:
        self._bundles, self._settings = bundles, settings

    def prepare(self, experiments: Sequence[Experiment]) -> Prepared:
        """Make running experiments ready to be served. Never raises."""
        done = Prepared()
        for experiment in experiments:
            self._prepare(experiment, done)
        return done

    def check(self, definition: ExperimentDefinition) -> None:
        """Say whether an experiment could run here, without holding anything.

        Raises :class:`TreatmentRefusedError` for the first arm that could not be applied.
        """
        for place, arm in enumerate(definition.arms):
            try:
                served = self._applied(arm.treatment)
                if served.bundle is not None:
                    self._bundles.load(served.bundle)
            except ValueError as error:
                raise TreatmentRefusedError(place, arm.name, _in_words(error)) from error

    def _prepare(self, experiment: Experiment, done: Prepared) -> None:
        name = experiment.name
        try:
            arms = {(name, arm.name): self._ready(arm) for arm in experiment.definition.arms}
        except ValueError as error:
            done.refused[name] = _in_words(error)
        except Exception:  # the feature store, most likely; its members see control until it is back
            _log.exception("an experiment cannot be made ready; trying again", experiment=name)
            done.waiting.append(name)
        else:
            done.served.append(experiment)
            done.arms |= arms

    def _ready(self, arm: Arm) -> ServedArm:
        try:
            served = self._applied(arm.treatment)
            if served.bundle is not None:
                self._bundles.hold(served.bundle)
        except ValueError as error:
            raise ValueError(f"arm {arm.name!r}: {_in_words(error)}") from error
        return served

    def _applied(self, treatment: Treatment) -> ServedArm:
        bundle = None if treatment.bundle is None else self._bundles.version_of(treatment.bundle)
        return served_arm(treatment, self._settings, bundle)


def _in_words(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors())
    return str(error)
