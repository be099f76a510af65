"""What a training can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from training.als import AlsConfig
from training.bpr import BprConfig
from training.ranker import RankerConfig
from training.two_tower import TwoTowerConfig


class TrainingConfig(BaseModel):
    """Settings of one training, from data window to bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    core_model: Literal["als", "bpr"] = Field("als", description="whose factors are served; both are judged")
    als: AlsConfig = AlsConfig()
    bpr: BprConfig = BprConfig()
    two_tower: TwoTowerConfig = TwoTowerConfig()
    ranker: RankerConfig = RankerConfig()
    warm_iterations: int = Field(5, ge=1, description="ALS iterations when starting from earlier factors")
    ranker_share: float = Field(0.8, gt=0, lt=1, description="share of events before the ranker's window")
    test_share: float = Field(0.9, gt=0, lt=1, description="share of events before the test window")
    window_days: float | None = Field(
        None, gt=0, description="how far back from the end of the data events count; null: all"
    )
    older_share: float = Field(1.0, ge=0, le=1, description="share of interactions older than a day kept")
    moved: float = Field(
        0.1, ge=0, description="change, as a share of its length, from which a retrain publishes a vector"
    )
    viewers_to_solve: int = Field(
        20, ge=1, description="members who must have watched a new title until its vector is solved from them"
    )
    ranker_rows: int = Field(300_000, ge=1, description="most examples the ranker learns from")
    candidates: int = Field(500, ge=2, description="titles the ranker is given per member")
    relevance_fraction: float = Field(0.5, ge=0, le=1, description="a test title watched this far counts")
    evaluation_members: int = Field(2_000, ge=1, description="most members whose lists are evaluated")
    truth_members: int = Field(300, ge=1, description="members judged against a simulated service's truth")
    page_members: int = Field(300, ge=1, description="members whose whole pages are judged")
    seed: int = Field(0, ge=0, description="of every random choice outside ALS and the ranker")

    @property
    def learns_from_all(self) -> bool:
        """Whether models are fitted on every interaction: there is no window, and none is sampled away."""
        return self.window_days is None and self.older_share == 1
