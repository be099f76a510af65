"""The latest positives, held back from the towers' training to tell when to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms import towers
from training.two_tower_examples import TowerExamples

VALIDATION_K: Final = 100
_MOST: Final = 5_000
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Validation:
    """Positives that are asked for again after each epoch."""

    examples: TowerExamples

    def __len__(self) -> int:
        return len(self.examples)

    def recall(self, weights: towers.TowerWeights, inputs: NDArray[np.float32]) -> float:
        """Return the share of positives among the first VALIDATION_K of the whole catalogue, 0 to 1."""
        if not len(self.examples):
            return 0.0
        titles = towers.item_tower(weights, inputs)
        found = 0
        for rows in np.array_split(np.arange(len(self)), max(1, len(self) // 512)):
            found += self._found(weights, titles, rows)
        return found / len(self)

    def _found(
        self, weights: towers.TowerWeights, titles: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> int:
        part = self.examples.take(rows)
        history, mask = part.history[part.moments], part.mask[part.moments]
        scores = towers.user_tower(weights, history, mask, part.context) @ titles.T
        wanted = scores[np.arange(len(rows)), part.titles]
        # What was watched already is no candidate.
        member, place = np.nonzero((mask > 0) & (history != part.titles[:, None]))
        scores[member, history[member, place]] = -np.inf
        return int(((scores > wanted[:, None]).sum(axis=1) < VALIDATION_K).sum())


def held_back(examples: TowerExamples, share: float, most: int) -> tuple[TowerExamples, Validation]:
    """Return the ``most`` latest positives in two parts: before the last day, and of it.

    Where the last day (before the latest positive) holds less than a hundredth or more than a quarter of
    them, the latest ``share`` stands for it. At most 5,000 are held back, evenly taken.
    """
    order = np.argsort(examples.instants, kind="stable")[-most:]
    instants = examples.instants[order]
    if len(order) == 0:
        return examples, Validation(examples)
    cut = int(np.searchsorted(instants, instants[-1] - _DAY_US, side="right"))
    if not 0.01 <= 1 - cut / len(order) <= 0.25:
        cut = int(len(order) * (1 - share))
    late = order[cut:]
    return examples.take(order[:cut]), Validation(examples.take(late[:: max(1, -(-len(late) // _MOST))]))
