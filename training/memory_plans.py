"""How much a retrain takes on: everything as configured, or less where the machine could not carry that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from training.config import TrainingConfig

_COUNTED: Final = ("ranker_rows", "evaluation_members", "page_members")


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a plan takes away from a configuration.

    ``rows_at_once``: entities per historical question to the feature store, whose join is the peak of a large
    training; fewer change no number. ``share``: of the window, the ranker's examples and the members whose
    lists and pages are evaluated, which does change the models and how closely they are known.
    """

    name: str
    rows_at_once: int
    share: float = 1.0

    def of(self, config: TrainingConfig) -> TrainingConfig:
        """Return the configuration that the plan trains with."""
        if self.share == 1.0:
            return config
        window = config.window_days
        changes = {
            "window_days": None if window is None else window * self.share,
            **{name: max(1, round(getattr(config, name) * self.share)) for name in _COUNTED},
        }
        return TrainingConfig.model_validate(config.model_dump() | changes)


PLANS: Final = (
    MemoryPlan("full", rows_at_once=200_000),
    MemoryPlan("smaller", rows_at_once=50_000, share=0.5),
    MemoryPlan("smallest", rows_at_once=20_000, share=0.25),
)
"""From everything to the least that still makes a bundle worth serving."""
