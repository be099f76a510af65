"""What an analysis finds, as it is kept with a decision: plain values, None where nothing can be said yet."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from experiments.definitions import Layer, Metric

Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArmTotals(_Frozen):
    """One arm. Tiles of Continue Watching count in none of these but ``members``, who saw the arm."""

    name: str
    share: int
    members: int
    impressions: int
    plays: int
    completions: int = Field(description="plays watched to the fraction that counts as complete")
    play_rate: Finite | None
    completion_rate: Finite | None


class SampleRatio(_Frozen):
    """Members by arm against the arms' shares. A broken one makes everything else worthless."""

    chi_square: Finite
    p: Finite
    broken: bool


class Naive(_Frozen):
    """The two-proportion z-test that takes impressions for independent."""

    z: Finite
    p: Finite


class Effect(_Frozen):
    """Treatment against control at one look, clustered by member; intervals of 1 - alpha."""

    metric: Metric
    control: Finite
    treatment: Finite
    difference: Finite
    difference_low: Finite
    difference_high: Finite
    lift: Finite = Field(description="relative to control")
    lift_low: Finite
    lift_high: Finite
    z: Finite
    p: Finite = Field(description="valid for one look at a size set beforehand")
    design_effect: Finite | None = Field(description="variance over that of independent impressions")


class Look(_Frozen):
    """The lift as of the end of a day, with the bounds of its confidence sequence."""

    day: date
    lift: Finite
    low: Finite
    high: Finite
    p: Finite = Field(description="always valid; never rises")


class Corrected(_Frozen):
    """The last look at the level that Holm's correction over concurrent experiments leaves to it."""

    level: Finite
    low: Finite
    high: Finite
    p: Finite = Field(description="always valid, adjusted by Holm")


class Adjusted(_Frozen):
    """The lift with what the pre-period explains taken out (CUPED); at one look."""

    lift: Finite
    low: Finite
    high: Finite
    variance_ratio: Finite = Field(description="variance of the lift over that without adjustment")
    members_known: Finite = Field(description="share of the members who have a pre-period")


class Novelty(_Frozen):
    """How the log of treatment over control changes with each day since a first exposure."""

    slope: Finite
    p: Finite
    days: int


class Guardrail(_Frozen):
    """Members who came back, treatment against control.

    ``change`` and so on are None until anything can be said. It is known only with members enough to see the
    rule's ``retention_loss``; a breach counts before.
    """

    matured: tuple[int, int] = Field(description="control, treatment: those who had the time")
    retained: tuple[int, int]
    needed: tuple[int, int] = Field(description="matured members with whom it is known; or to say anything")
    known: bool
    known_from: AwareDatetime | None = Field(
        description="when enough members will have had the time, as far as can be told; null: too few are in"
    )
    change: Finite | None = None
    low: Finite | None = Field(None, description="lower end of a one-sided 95 % interval of the change")
    high: Finite | None = Field(None, description="upper end of a one-sided 95 % interval of the change")
    p: Finite | None = None
    margin: Finite
    breached: bool


class Comparison(_Frozen):
    """One arm against control."""

    arm: str
    naive: Naive | None
    effect: Effect | None = Field(description="of the rule's metric")
    secondary: Effect | None = Field(description="of the other metric")
    looks: tuple[Look, ...] = ()
    corrected: Corrected | None = None
    adjusted: Adjusted | None = None
    novelty: Novelty | None = None
    guardrail: Guardrail


class Interaction(_Frozen):
    """How an arm's difference changes with an arm of another layer's experiment."""

    arm: str
    other: str = Field(description="experiment/arm")
    change: Finite
    z: Finite
    p: Finite
    corrected_p: Finite = Field(description="adjusted by Holm over all pairs")


class DailyRate(_Frozen):
    """The rule's metric in one arm on one day alone."""

    day: date
    arm: str
    members: int = Field(description="first seen on this day")
    impressions: int
    plays: int
    rate: Finite | None


class Analysis(_Frozen):
    """Everything found of an experiment as of an instant."""

    experiment: str
    layer: Layer
    metric: Metric
    alpha: Finite
    as_of: AwareDatetime
    started_at: AwareDatetime
    ended_at: AwareDatetime = Field(description="up to where impressions count: its end, or as_of")
    arms: tuple[ArmTotals, ...]
    contaminated: int = Field(description="members seen in two arms; they count in nothing else")
    sample_ratio: SampleRatio
    comparisons: tuple[Comparison, ...]
    interactions: tuple[Interaction, ...] = ()
    concurrent: tuple[str, ...] = Field((), description="experiments that Holm's correction reckons with")
    daily: tuple[DailyRate, ...] = ()

    @property
    def days(self) -> float:
        """How long it ran, in days."""
        return (self.ended_at - self.started_at).total_seconds() / 86_400

    @property
    def impressions(self) -> int:
        """Tiles that count, over all arms."""
        return sum(arm.impressions for arm in self.arms)

    def comparison(self, arm: str) -> Comparison:
        """Return an arm's comparison with control; raises ``KeyError`` for control and unknown arms."""
        for one in self.comparisons:
            if one.arm == arm:
                return one
        raise KeyError(f"{self.experiment} compares no arm {arm!r} with control")

    def to_json(self) -> str:
        """Return it as JSON, from which ``Analysis.model_validate_json`` makes the same again."""
        return self.model_dump_json(indent=2) + "\n"
