"""The two towers: how they are trained, and what a training gives.

Whoever only names them does not wait for torch, which :mod:`training.two_tower_fit` imports.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from feature_repo import schema as s
from feature_repo.transforms import towers

_ROWS_AT_ONCE = 8_192

Switch = Literal["auto", "on", "off"]
"""``auto``: on where there is a GPU."""


class TwoTowerConfig(BaseModel):
    """How the towers are trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(8, ge=0, description="at most; validation stops earlier")
    warm_epochs: int = Field(1, ge=0, description="at most, when starting from earlier weights")
    patience: int = Field(1, ge=1, description="epochs without a better validation before stopping")
    batch: int = Field(1_024, ge=2, description="positives per step, and in-batch negatives of each")
    uniform_negatives: int = Field(512, ge=0, description="titles drawn evenly from all watched per step")
    temperature: float = Field(0.1, gt=0, description="divides the inner products")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam")
    history_learning_rate: float = Field(
        1e-2, gt=0, description="of the history table, whose rows move rarely"
    )
    input_dropout: float = Field(0.2, ge=0, lt=1, description="share of a title's inputs hidden in training")
    minimum_fraction: float = Field(0.5, ge=0, le=1, description="a title watched this far is a positive")
    empty_share: float = Field(0.1, ge=0, le=1, description="positives without history per one with")
    validation_share: float = Field(0.05, gt=0, lt=1, description="latest positives, held back to stop early")
    most_examples: int = Field(250_000, ge=1, description="latest positives used")
    mixed_precision: Switch = Field("auto", description="bfloat16 where its range suffices; auto: on a GPU")
    compile: Switch = Field(
        "auto", description="torch.compile of the loss; auto: on a GPU, if steps are many"
    )
    seed: int = Field(0, ge=0, description="of the weights, the order and the negatives")


@dataclass(frozen=True)
class TwoTower:
    """Trained towers; ``weights`` are those of :mod:`feature_repo.transforms.towers`.

    ``curves`` holds one value per epoch: the training loss and the validation's recall.
    """

    title_ids: NDArray[np.str_]
    weights: dict[str, NDArray[np.float32]]
    config: TwoTowerConfig
    curves: dict[str, list[float]] = field(default_factory=dict)

    def title_vectors(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return unit vectors, float32 (n, 256), of titles' inputs (n, TITLE_INPUT_DIMENSIONS)."""
        parts = [towers.item_tower(self.weights, inputs[rows]) for rows in _slices(len(inputs))]
        return _joined(parts)

    def user_vectors(
        self, history: NDArray[np.int32], mask: NDArray[np.float32], context: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return unit vectors, float32 (n, 256), of members' histories (n, h) and contexts."""
        parts = [
            towers.user_tower(self.weights, history[rows], mask[rows], context[rows])
            for rows in _slices(len(history))
        ]
        return _joined(parts)


def _slices(rows: int) -> Iterator[slice]:
    return (slice(begin, begin + _ROWS_AT_ONCE) for begin in range(0, rows, _ROWS_AT_ONCE))


def _joined(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate(parts) if parts else np.empty((0, s.TWO_TOWER_DIMENSIONS), dtype=np.float32)
