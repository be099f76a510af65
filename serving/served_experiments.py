"""What running experiments do to pages: who is in which arm, and what an arm changes on this server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np

from experiments.assignment import Assigner, Assignment
from experiments.definitions import Arm, Eligibility, Experiment, MemberTraits, Treatment
from feature_repo import schema as s
from feature_repo.page.rules import PageRules
from serving.candidates.stages import GeneratorStage, generator_stages
from serving.members import Member
from serving.settings import GeneratorSettings, ServingSettings
from serving.state import ServingState

CANDIDATE, RANKER, POST_FILTER, UI = s.LAYERS
_NOTHING: Final = Treatment()


class UnknownArmError(LookupError):
    """An arm was asked for that cannot be shown; ``arm`` is what was asked, ``remedy`` what would do."""

    def __init__(self, arm: str, remedy: str) -> None:
        super().__init__(f"arms = {arm!r}: {remedy}")
        self.arm, self.remedy = arm, remedy


class BundleStates(Protocol):
    """Where the states of bundles beside the champion are kept; ``serving.bundles.StateKeeper`` is one."""

    def state_of(self, version: str) -> ServingState:
        """Return the state of a bundle that is held; raises ``LookupError`` for another."""


@dataclass(frozen=True, slots=True)
class ServedArm:
    """What an arm changes of a page on this server; None leaves the server's own.

    ``bundle`` is a version, whatever name the treatment gave it.
    """

    generators: tuple[GeneratorStage, ...] | None = None
    rules: PageRules | None = None
    bundle: str | None = None
    variant: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PagePlan:
    """How one page is made, and the arms that had a say in it."""

    state: ServingState
    generators: tuple[GeneratorStage, ...]
    rules: PageRules
    variant: str | None
    assignment: Assignment


def served_arm(treatment: Treatment, settings: ServingSettings, bundle: str | None) -> ServedArm:
    """Apply a treatment to the settings of this server.

    Raises ``ValueError`` where they do not go together: rules of the page that contradict each other, or no
    generator left.
    """
    if treatment == _NOTHING:
        return ServedArm()
    return ServedArm(
        generators=generator_stages(_generators(treatment, settings)) if treatment.generators else None,
        rules=treatment.page_rules(settings.page) if treatment.page else None,
        bundle=bundle,
        variant=treatment.variant,
    )


def _generators(treatment: Treatment, settings: ServingSettings) -> Mapping[str, GeneratorSettings]:
    changed = {
        name: settings.generators[name].model_copy(update=change.model_dump(exclude_none=True))
        for name, change in treatment.generators.items()
    }
    all_of_them = {**settings.generators, **changed}
    if not any(one.enabled for one in all_of_them.values()):
        raise ValueError("generators: none is left enabled on this server; enable one")
    return all_of_them


def traits_of(member: Member, device: str) -> MemberTraits:
    """Return what eligibility looks at: the country and language of the profile, the device of the page."""
    watched = float(member.features[s.WATCH_COUNT][0])
    return MemberTraits(member.country, member.language, device, 0 if np.isnan(watched) else int(watched))


@dataclass(frozen=True, slots=True, eq=False)
class ServedExperiments:
    """The running experiments as this server serves them. Never changed, only replaced.

    ``arms`` has the arms of all of them by experiment and arm.
    """

    settings: ServingSettings
    generators: tuple[GeneratorStage, ...]
    states: BundleStates | None = None
    running: Mapping[str, Experiment] = field(default_factory=dict)
    arms: Mapping[tuple[str, str], ServedArm] = field(default_factory=dict)
    assigner: Assigner = field(default_factory=lambda: Assigner((), 0))
    blind_assigner: Assigner = field(default_factory=lambda: Assigner((), 0))
    """Of the experiments that admit members of whom nothing can be read."""

    @classmethod
    def none(cls, settings: ServingSettings) -> ServedExperiments:
        """Return what is served where no experiment runs: everybody's page by the server's settings."""
        return cls(settings, generator_stages(settings.generators))

    def with_experiments(
        self,
        experiments: Sequence[Experiment],
        arms: Mapping[tuple[str, str], ServedArm],
        holdout: int,
        states: BundleStates,
    ) -> ServedExperiments:
        """Return the same server with these running ones; ``holdout`` in thousandths of the members."""
        open_to_all = [one for one in experiments if _admits_unknown(one.definition.eligibility)]
        return replace(
            self,
            states=states,
            running={one.name: one for one in experiments},
            arms=dict(arms),
            assigner=Assigner(experiments, holdout),
            blind_assigner=Assigner(open_to_all, holdout),
        )

    @property
    def bundles(self) -> set[str]:
        """The versions that its arms name."""
        return {arm.bundle for arm in self.arms.values() if arm.bundle is not None}

    def plan(
        self,
        champion: ServingState,
        user_id: str,
        traits: MemberTraits | None,
        device: str = "",
        forced: Sequence[str] = (),
        own_bundle: bool = False,
    ) -> PagePlan:
        """Return how a member's page is made.

        ``traits`` is None where they could not be read: then only experiments that look at nothing but the
        device admit the member. ``forced`` names arms, ``layer:experiment/arm``, that an operator wants to
        see whatever the member's own are. With ``own_bundle`` no ranker arm has a say: the page is made from
        ``champion``, whichever bundle that is. Raises :class:`UnknownArmError` for one that does not run, and
        ``LookupError`` where an arm's bundle is held no more.
        """
        if traits is None:
            assignment = self.blind_assigner.assign(user_id, MemberTraits(device=device))
        else:
            assignment = self.assigner.assign(user_id, traits)
        if forced:
            assignment = Assignment({**assignment.arms, **self.named(forced)})
        if own_bundle:
            others = {layer: dealt for layer, dealt in assignment.arms.items() if layer != RANKER}
            assignment = replace(assignment, arms=others)
        return self._carried_out(champion, assignment)

    def everybodys(self, champion: ServingState) -> PagePlan:
        """Return the plan of a page that no experiment has a say in."""
        return self._carried_out(champion, Assignment())

    def named(self, forced: Sequence[str]) -> dict[str, tuple[Experiment, Arm]]:
        """Return arms named ``layer:experiment/arm`` by layer; raises :class:`UnknownArmError`."""
        choices = {
            f"{one.definition.layer}:{one.name}/{arm.name}": (one, arm)
            for one in self.running.values() for arm in one.definition.arms
        }  # fmt: skip
        found: dict[str, tuple[Experiment, Arm]] = {}
        for name in forced:
            if name not in choices:
                running = ", ".join(sorted(choices))
                raise UnknownArmError(name, f"use some of {running}" if running else "no experiment runs")
            layer = choices[name][0].definition.layer
            if layer in found:
                raise UnknownArmError(name, f"name one arm of the layer {layer}")
            found[layer] = choices[name]
        return found

    def _carried_out(self, champion: ServingState, assignment: Assignment) -> PagePlan:
        settings = self.settings
        if not assignment.arms:
            return PagePlan(champion, self.generators, settings.page, None, assignment)
        served = {layer: self.arms[e.name, arm.name] for layer, (e, arm) in assignment.arms.items()}
        candidate, ranker = served.get(CANDIDATE, _AS_EVER), served.get(RANKER, _AS_EVER)
        return PagePlan(
            champion if ranker.bundle is None else self._state_of(ranker.bundle),
            self.generators if candidate.generators is None else candidate.generators,
            served.get(POST_FILTER, _AS_EVER).rules or settings.page,
            served.get(UI, _AS_EVER).variant,
            assignment,
        )

    def _state_of(self, version: str) -> ServingState:
        if self.states is None:
            raise LookupError(f"no bundle {version} is held")
        return self.states.state_of(version)


_AS_EVER: Final = ServedArm()
Experiments = Callable[[], ServedExperiments]
"""Returns what is served at this moment."""


def _admits_unknown(eligibility: Eligibility) -> bool:
    return eligibility.model_copy(update={"devices": ()}) == Eligibility()
