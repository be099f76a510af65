"""How large the simulated service is, and how strongly each effect in it acts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SimulationConfig(BaseModel):
    """Parameters of the simulated service; frozen.

    Effects on the play probability are in logits: the probability is ``play_ceiling`` times the
    logistic function of their sum. Raises ``pydantic.ValidationError`` naming a field out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    titles: int = Field(15_000, ge=60, le=999_999, description="size of the catalogue")
    members: int = Field(5_000, ge=1, le=999_999, description="members at the end of the window")
    days: int = Field(28, ge=1, le=365, description="length of the window that ends at `end`")
    sessions_per_day: float = Field(0.9, gt=0, le=10, description="mean sessions a member has a day")
    activity_spread: float = Field(0.8, ge=0, le=2, description="sigma of the log-normal member activity")
    arriving_title_share: float = Field(0.03, ge=0, le=1, description="titles added during the window")
    joining_member_share: float = Field(0.08, ge=0, le=1, description="members who join during the window")
    franchise_share: float = Field(0.12, ge=0, le=1, description="titles that belong to a franchise")
    worldwide_share: float = Field(0.7, ge=0, le=1, description="titles shown in every country")

    play_base: float = Field(-4.9, description="logit of a title that nobody has an opinion on")
    play_ceiling: float = Field(0.6, gt=0, le=1, description="play probability of an irresistible title")
    genre_strength: float = Field(1.3, ge=0, description="spread of a member's taste over genres")
    residual_strength: float = Field(1.1, ge=0, description="spread of the taste that genres do not show")
    residual_dimensions: int = Field(8, ge=1, le=64, description="rank of the taste outside genres")
    drift_strength: float = Field(0.6, ge=0, description="change of the genre taste over the window")
    context_strength: float = Field(1.0, ge=0, description="effect of device and hour")
    appeal_exponent: float = Field(0.4, ge=0, le=2, description="appeal falls with -x log(popularity rank)")
    language_strength: float = Field(1.2, ge=0, description="effect of a shared language")
    freshness_strength: float = Field(0.9, ge=0, description="effect of being new on the service today")
    freshness_days: float = Field(7.0, gt=0, description="time constant with which newness fades")

    page_rows: int = Field(4, ge=1, le=20, description="rows a session looks at")
    row_tiles: int = Field(6, ge=1, le=20, description="tiles in a row; rows x tiles <= 40")
    examination_top: float = Field(0.95, gt=0, le=1, description="chance that the first tile is looked at")
    examination_row_decay: float = Field(0.85, gt=0, le=1, description="factor from a row to the next")
    examination_position_decay: float = Field(0.93, gt=0, le=1, description="factor from a tile to the next")

    policy_taste_share: float = Field(
        0.45, ge=0, le=1, description="tiles drawn by a noisy idea of the taste"
    )
    policy_popularity_share: float = Field(0.40, ge=0, le=1, description="tiles drawn by popularity")
    policy_noise: float = Field(1.0, ge=0, description="error of the policy's idea of a taste, per dimension")
    policy_zipf_exponent: float = Field(0.8, ge=0, le=2, description="popularity draws ~ rank ** -x")

    @property
    def page_tiles(self) -> int:
        """Tiles of a page."""
        return self.page_rows * self.row_tiles

    @property
    def policy_exploration_share(self) -> float:
        """Share of tiles drawn uniformly: what taste and popularity leave."""
        return 1.0 - self.policy_taste_share - self.policy_popularity_share

    def model_post_init(self, _context: object, /) -> None:
        """Check what concerns two fields at once."""
        if self.policy_exploration_share <= 0:
            raise ValueError(
                "policy_taste_share + policy_popularity_share = "
                f"{1 - self.policy_exploration_share:.3f}: must be below 1, so that every title can be shown"
            )
        if self.page_tiles > 40:
            raise ValueError(f"page_rows x row_tiles = {self.page_tiles}: must be at most 40")
