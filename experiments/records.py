"""What is kept of an experiment beside itself: decisions with their evidence, and alerts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticSerializationError, to_json

Action = Literal["promote", "hold", "roll_back"]
DecidedBy = Literal["rule", "operator"]


_MICROSECOND: Final = timedelta(microseconds=1)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DecisionRecord(_Frozen):
    """One decision about an experiment, and what it rested on.

    ``evidence`` is kept as JSON: tuples become lists, instants text, numbers that are not finite the texts
    ``NaN``, ``Infinity`` and ``-Infinity``. Raises ``pydantic.ValidationError`` for what JSON cannot say.
    """

    experiment: str
    decided_at: AwareDatetime
    action: Action
    arm: str | None = None
    reason: str
    evidence: dict[str, Any] = Field(default_factory=dict)
    champion_before: str | None = Field(None, description="what served; null: the alias was not touched")
    champion_after: str | None = None
    decided_by: DecidedBy

    @field_validator("evidence", mode="before")
    @classmethod
    def _as_json(cls, evidence: object) -> object:
        try:
            return json.loads(to_json(evidence, inf_nan_mode="strings"))
        except PydanticSerializationError as error:
            raise ValueError(f"cannot be written as JSON: {error}") from error

    @property
    def moved_champion(self) -> bool:
        """Whether it put another bundle into service."""
        return self.champion_after != self.champion_before


def apart(record: DecisionRecord, earlier: Sequence[DecisionRecord]) -> DecisionRecord:
    """Return the record, microseconds later where another decision has its instant: they have an order."""
    while any(kept.decided_at == record.decided_at and kept != record for kept in earlier):
        record = record.model_copy(update={"decided_at": record.decided_at + _MICROSECOND})
    return record


class ClockReading(_Frozen):
    """The clock of a server, which dates its pages, beside the wall's at the same moment."""

    service: AwareDatetime
    wall: AwareDatetime


class Alert(_Frozen):
    """Something about an experiment that a person should look at."""

    experiment: str
    at: AwareDatetime
    message: str
