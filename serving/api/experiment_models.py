"""What operators send and get about experiments."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from experiments.definitions import Experiment, Slug
from experiments.records import Alert, DecisionRecord

_LONGEST_REASON = 1000


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StatusChange(_Body):
    """Why an experiment is started or paused."""

    reason: str = Field("", max_length=_LONGEST_REASON)


class Promotion(_Body):
    """Which arm is promoted, and why."""

    arm: Slug
    reason: str = Field(min_length=1, max_length=_LONGEST_REASON)


class Rollback(_Body):
    """Why an experiment is rolled back."""

    reason: str = Field(min_length=1, max_length=_LONGEST_REASON)


class ExperimentParameters(BaseModel):
    """Parameters of an experiment."""

    name: Slug


class ExperimentList(BaseModel):
    """All experiments there ever were, the oldest first."""

    experiments: list[Experiment]
    holdout: int = Field(ge=0, le=1000, description="thousandths of the members that see no experiment")


class ExperimentDetails(BaseModel):
    """An experiment, with what was decided about it and what went wrong."""

    experiment: Experiment
    served: bool = Field(description="whether the server that answers deals members to it")
    decisions: list[DecisionRecord]
    alerts: list[Alert]
