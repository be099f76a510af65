"""What an experiment is: layer, arms, traffic, who may be in it, and what decides it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from feature_repo.page.rules import PageRules
from feature_repo.schema import GENERATORS

BUCKETS: Final = 1000
"""Into how many parts a layer, and the members of an experiment, are dealt."""

Layer = Literal["candidate", "ranker", "post_filter", "ui"]
Device = Literal["tv", "mobile", "tablet", "web"]
Metric = Literal["play_rate", "completion_rate"]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
BundleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class Status(StrEnum):
    """Where an experiment stands. Draft, running and paused ones own their buckets."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"

    @property
    def owns_buckets(self) -> bool:
        """Whether an experiment of this status keeps others off its buckets."""
        return self in {Status.DRAFT, Status.RUNNING, Status.PAUSED}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GeneratorChange(_Frozen):
    """What an arm changes of one candidate generator; None leaves it as it is."""

    enabled: bool | None = None
    limit: int | None = Field(None, ge=1, le=500, description="titles it proposes at most")


class Treatment(_Frozen):
    """What an arm changes, in the terms of its layer; an empty treatment is what all others see."""

    generators: dict[str, GeneratorChange] = Field(
        default_factory=dict, description="candidate: generator to what changes"
    )
    bundle: BundleName | None = Field(
        None,
        description="ranker: the bundle that makes the page; `challenger` becomes its version at the start",
    )
    page: dict[str, Any] = Field(default_factory=dict, description="post_filter: rules of the page, by name")
    variant: Slug | None = Field(None, description="ui: what the client shows it as")

    @model_validator(mode="after")
    def _known(self) -> Self:
        strange = sorted(set(self.generators) - set(GENERATORS))
        if strange:
            raise ValueError(f"no candidate generator {strange[0]!r}: use one of {', '.join(GENERATORS)}")
        self.page_rules(PageRules())
        return self

    def page_rules(self, rules: PageRules) -> PageRules:
        """Return the page's rules with this treatment's; raises ``ValidationError`` where they are none."""
        return PageRules.model_validate(rules.model_dump() | self.page) if self.page else rules

    @property
    def layers(self) -> set[str]:
        """The layers whose terms it uses."""
        used = {
            "candidate": bool(self.generators), "ranker": self.bundle is not None,
            "post_filter": bool(self.page), "ui": self.variant is not None,
        }  # fmt: skip
        return {layer for layer, is_used in used.items() if is_used}


class Arm(_Frozen):
    """One version of the page. ``share`` of the experiment's members see it, in thousandths."""

    name: Slug
    share: int = Field(ge=1, le=BUCKETS)
    treatment: Treatment = Treatment()


@dataclass(frozen=True, slots=True)
class MemberTraits:
    """What eligibility looks at; empty strings where unknown. ``watch_count``: viewings started so far."""

    country: str = ""
    language: str = ""
    device: str = ""
    watch_count: int = 0


class Eligibility(_Frozen):
    """Who may be in an experiment; an empty list admits everybody.

    The device is that of the page: a member's pages on other devices are then not part of the experiment.
    """

    countries: tuple[Country, ...] = ()
    languages: tuple[Language, ...] = ()
    devices: tuple[Device, ...] = ()
    watched_at_least: int = Field(0, ge=0, description="viewings started so far")
    watched_at_most: int | None = Field(None, ge=0, description="viewings started so far; null: any number")

    def admits(self, traits: MemberTraits) -> bool:
        """Say whether a member with these traits may be in it."""
        return (
            (not self.countries or traits.country in self.countries)
            and (not self.languages or traits.language in self.languages)
            and (not self.devices or traits.device in self.devices)
            and self.watched_at_least <= traits.watch_count
            and (self.watched_at_most is None or traits.watch_count <= self.watched_at_most)
        )


def _loss_over(rule: dict[str, Any]) -> float:
    """Return the default of ``retention_loss``: rules that were kept before there was one stay valid."""
    return min(1.0, max(0.1, 2 * float(rule.get("retention_margin", 0.0))))


class DecisionRule(_Frozen):
    """When an experiment is decided without a human (see :mod:`experiments.decision`)."""

    metric: Metric = Field("play_rate", description="what the arms are compared by")
    # New experiments may ask less, see log_reach; rows that were kept before stay valid.
    minimum_days: int = Field(14, ge=1, le=365, description="of a new one 60 at most")
    minimum_impressions: int = Field(100_000, ge=1, description="tiles shown, over all arms")
    minimum_lift: float = Field(0.01, ge=0, le=1, description="relative to control; below it nothing moves")
    alpha: float = Field(0.05, gt=0, le=0.2, description="probability of a false alarm, over all peeks")
    retention_days: int = Field(
        28, ge=7, le=90,
        description="guardrail: who comes back in the last 7 days of that many; of a new one 76 at most",
    )  # fmt: skip
    retention_margin: float = Field(
        0.01, ge=0, le=1, description="loss of the guardrail, relative to control, that is put up with"
    )
    retention_loss: float = Field(
        default_factory=_loss_over, gt=0, le=1,
        description="loss of the guardrail that would surely be seen before an arm is promoted; default 0.1, "
        "or twice the margin where that is more",
    )  # fmt: skip

    @model_validator(mode="after")
    def _loss_over_margin(self) -> Self:
        if self.retention_loss <= self.retention_margin < 1:
            raise ValueError(
                f"retention_loss {self.retention_loss:g} is not above retention_margin "
                f"{self.retention_margin:g}, which is put up with: raise retention_loss"
            )
        return self


class ExperimentDefinition(_Frozen):
    """An experiment as it is asked for. The first arm is control.

    Raises ``pydantic.ValidationError`` naming the field, the value and the remedy.
    """

    name: Slug = Field(description="unique for ever: it salts the draw of the arms")
    layer: Layer
    hypothesis: str = Field("", max_length=2000, description="what is expected, and why")
    arms: tuple[Arm, ...] = Field(min_length=2, max_length=10)
    traffic: int = Field(ge=2, le=BUCKETS, description="buckets of the layer, in thousandths of the members")
    first_bucket: int | None = Field(
        None, ge=0, lt=BUCKETS, description="where its buckets begin; null: wherever they fit"
    )
    eligibility: Eligibility = Eligibility()
    rule: DecisionRule = DecisionRule()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        total = sum(arm.share for arm in self.arms)
        if total != BUCKETS:
            raise ValueError(f"the arms' shares sum to {total}: make them sum to {BUCKETS}")
        twice = [name for name, times in Counter(arm.name for arm in self.arms).items() if times > 1]
        if twice:
            raise ValueError(f"two arms are called {twice[0]!r}: give each its own name")
        if self.first_bucket is not None and self.first_bucket + self.traffic > BUCKETS:
            raise ValueError(
                f"buckets {self.first_bucket} to {self.first_bucket + self.traffic - 1} reach over "
                f"{BUCKETS - 1}: lower first_bucket or traffic"
            )
        for arm in self.arms:
            self._check_layer(arm)
        if self.control.treatment.layers:
            raise ValueError(
                f"arm {self.control.name!r} changes something: the first arm is control, "
                "leave its treatment out"
            )
        return self

    def _check_layer(self, arm: Arm) -> None:
        strange = sorted(arm.treatment.layers - {self.layer})
        if strange:
            raise ValueError(
                f"arm {arm.name!r} changes the layer {strange[0]!r}, the experiment is of {self.layer!r}: "
                "make an experiment of each layer"
            )

    @property
    def control(self) -> Arm:
        """The arm that the others are compared with."""
        return self.arms[0]

    def arm(self, name: str) -> Arm:
        """Return an arm; raises ``KeyError`` naming those there are."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise KeyError(f"{self.name} has no arm {name!r}: {', '.join(a.name for a in self.arms)}")


class Experiment(_Frozen):
    """An experiment as the store keeps it: with the buckets it was given, and where it stands."""

    definition: ExperimentDefinition
    first_bucket: int = Field(ge=0, lt=BUCKETS)
    status: Status = Status.DRAFT
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    reason: str = Field("", description="why it has this status, where something brought it there")

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.definition.name

    @property
    def buckets(self) -> range:
        """The buckets of its layer that it owns."""
        return range(self.first_bucket, self.first_bucket + self.definition.traffic)

    def overlaps(self, other: Experiment) -> bool:
        """Say whether both own a bucket of one layer."""
        same_layer = self.definition.layer == other.definition.layer
        return same_layer and bool(set(self.buckets) & set(other.buckets))

    def ran_until(self, now: datetime) -> datetime:
        """Return the instant up to which there is anything to analyse: its end, or ``now``."""
        return self.ended_at or now
