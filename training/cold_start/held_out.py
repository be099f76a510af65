"""Members and titles that are kept from a training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.interactions import InteractionMatrix
from training.training_data import TrainingData


@dataclass(frozen=True)
class HeldOut:
    """Members and titles that the training must not see, as truth values over ``data``'s."""

    members: NDArray[np.bool_]
    titles: NDArray[np.bool_]

    @classmethod
    def draw(cls, data: TrainingData, whole: InteractionMatrix, share: float, seed: int) -> HeldOut:
        """Draw ``share`` of the members with over 15 titles, and of the titles with 20 viewers or more."""
        rng = np.random.default_rng(seed)
        members = (whole.user_titles > 15) & (rng.random(len(data.members.user_ids)) < share)
        titles = (whole.title_viewers >= 20) & (rng.random(len(data.catalogue.title_ids)) < share)
        return cls(members, titles)
